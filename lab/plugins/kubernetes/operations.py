"""Create and update of one object, as the official v4 plugin does them.

Blocking; the servicer calls these in threads. Inputs come as `check` returned them, results are
what goes into state.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence

from lab.plugins.kubernetes import objects, ownership
from lab.plugins.kubernetes.cluster import (
    APPLY,
    JSON_PATCH,
    ApiError,
    Cluster,
    Kind,
    NoMatch,
)
from lab.plugins.kubernetes.session import Session
from lab.plugins.kubernetes.settling import Refused, settled
from lab.plugins.kubernetes.wire import Object, plain

_CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"
_LATE = 30.0
"""Seconds that a kind or a namespace may appear late in, as when all is created at once."""

_CONFLICTS = 5


def create(session: Session, urn: str, inputs: Object, timeout: float) -> Object:
    """Create the object and wait until it is ready; return its state.

    Raises `Refused` where nothing was created, `NotReady` where something was, `Unreachable`.
    """
    cluster = session.cluster()
    manager = objects.field_manager(urn, inputs)
    body = objects.to_api(inputs)

    def attempt() -> tuple[Kind, Object]:
        kind = _kind(cluster, body)
        sent = _placed(session, kind, body)
        if session.settings.upsert:
            return kind, _apply(cluster, kind, sent, manager, force=True)
        query = {"fieldManager": manager, "fieldValidation": "Warn"}
        path = kind.path(objects.text(objects.metadata(sent).get("namespace")))
        return kind, cluster.request("POST", path, query=query, body=sent)

    try:
        kind, live = _late(session, attempt)
    except NoMatch as error:
        raise Refused(
            f"creation of {objects.full_kind(inputs)} failed because the Kubernetes API server "
            "reported that the apiVersion for this resource does not exist. Verify that any "
            f"required CRDs have been created: {error}"
        ) from None
    except ApiError as error:
        raise Refused(
            f"resource {urn!r} was not successfully created by the Kubernetes API server: "
            f"{_words(error, manager)}"
        ) from None
    if objects.full_kind(live) == _CRD:
        cluster.forget_kinds()
    return settled(session, kind, live, inputs, manager, timeout, "created")


def update(
    session: Session,
    urn: str,
    resource_id: str,
    state: Object,
    inputs: Object,
    timeout: float,
    *,
    ignored: Sequence[str] = (),
    preview: bool = False,
) -> Object:
    """Apply new inputs to the object and wait until it is ready; return its state.

    In a preview the server computes the result without keeping it. Raises as `create`.
    """
    cluster = session.cluster()
    manager = objects.field_manager(urn, inputs, plain(state))
    force = session.settings.patch_force or objects.is_true(inputs, "pulumi.com/patchForce")
    try:
        body = objects.to_api(inputs)
        kind = _kind(cluster, body)
        namespace, name = objects.split_id(resource_id)
        path = kind.path(namespace, name)
        body = _placed(session, kind, body)
        body["metadata"]["name"] = name
        for attempt in range(_CONFLICTS):
            live = cluster.request("GET", path)
            sent = _keeping_ignored(body, live, ignored)
            try:
                live = _write(cluster, kind, path, live, sent, manager, force, preview)
                break
            except ApiError as error:
                # A conflict over `resourceVersion` passes; one over fields has causes.
                if error.code != 409 or error.causes or attempt == _CONFLICTS - 1:
                    raise
                time.sleep(0.1 * 2**attempt)
    except NoMatch as error:
        raise Refused(
            f"update of resource {urn!r} failed because the Kubernetes API server reported that "
            f"the apiVersion for this resource does not exist: {error}"
        ) from None
    except ApiError as error:
        raise Refused(f"update of resource {urn!r} failed: {_words(error, manager)}") from None
    if preview:
        live.pop("status", None)
        return objects.to_state(live, inputs, manager)
    if objects.full_kind(live) == _CRD:
        cluster.forget_kinds()
    return settled(session, kind, live, inputs, manager, timeout, "updated")


def _write(
    cluster: Cluster,
    kind: Kind,
    path: str,
    live: Object,
    body: Object,
    manager: str,
    force: bool,
    preview: bool,
) -> Object:
    dry = {"dryRun": "All"} if preview else {}
    if objects.full_kind(live) == _CRD:
        # Replaced as a whole, as the official plugin does: its schema is one thing.
        meta = {**body["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
        query = {"fieldManager": manager, **dry}
        return cluster.request("PUT", path, query=query, body={**body, "metadata": meta})
    managed = ownership.taken_over(live, manager)
    if managed and not preview:
        patch = ownership.patch(live, managed)
        cluster.request("PATCH", path, body=patch, content=JSON_PATCH)
    return _apply(cluster, kind, body, manager, force=force or bool(managed and preview), dry=dry)


def _apply(
    cluster: Cluster,
    kind: Kind,
    body: Object,
    manager: str,
    *,
    force: bool,
    dry: dict[str, str] | None = None,
) -> Object:
    meta = objects.metadata(body)
    path = kind.path(objects.text(meta.get("namespace")), objects.text(meta.get("name")))
    query = {"fieldManager": manager, "force": str(force).lower(), **(dry or {})}
    return cluster.request("PATCH", path, query=query, body=body, content=APPLY)


def _kind(cluster: Cluster, body: Object) -> Kind:
    return cluster.kind(body["apiVersion"], objects.text(body.get("kind")))


def _placed(session: Session, kind: Kind, body: Object) -> Object:
    """Return `body` in the namespace it goes to, or in none where its kind has none."""
    meta = {key: value for key, value in body["metadata"].items() if key != "namespace"}
    if kind.namespaced:
        meta["namespace"] = body["metadata"].get("namespace") or session.default_namespace()
    return {**body, "metadata": meta}


def _late(session: Session, attempt: Callable[[], tuple[Kind, Object]]) -> tuple[Kind, Object]:
    """Repeat what fails because a CRD or a namespace of the same program is not there yet."""
    found: list[tuple[Kind, Object]] = []
    failure: list[NoMatch | ApiError] = []

    def once() -> str | None:
        try:
            found.append(attempt())
        except NoMatch as error:
            failure[:] = [error]
        except ApiError as error:
            if error.code != 404:
                raise
            failure[:] = [error]
        else:
            return None
        return str(failure[0])

    if session.wait_for(once, _LATE, slowest=1.0) is not None:
        raise failure[0]
    return found[0]


def _keeping_ignored(body: Object, live: Object, ignored: Sequence[str]) -> Object:
    """Return `body` with the live values of the fields under `ignore_changes`.

    The same value is no conflict and leaves the field with whoever owns it.
    """
    kept = copy.deepcopy(body) if ignored else body
    for path in ignored:
        *parents, last = path.split(".")
        target, source = kept, live
        for part in parents:
            target, source = target.get(part) or {}, source.get(part) or {}
        if isinstance(source, dict) and last in source and isinstance(target, dict):
            target[last] = source[last]
    return kept


def _words(error: ApiError, manager: str) -> str:
    """Return the server's message, with what to do about a conflict over fields."""
    if error.code != 409 or not any(
        c.get("reason") == "FieldManagerConflict" for c in error.causes
    ):
        return str(error)
    return (
        "Server-Side Apply field conflict detected: the resource managed by field manager "
        f"{manager!r} had an apply conflict: {error}. Either let the other manager have the "
        'fields, or annotate the resource with `pulumi.com/patchForce: "true"` to take them'
    )
