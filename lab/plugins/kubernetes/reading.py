"""Read and delete of one object, as the official v4 plugin does them. Blocking, like `operations`."""

from __future__ import annotations

from lab.plugins.kubernetes import await_ready, drift, objects
from lab.plugins.kubernetes.cluster import APPLY, ApiError, Cluster, Kind, NoMatch
from lab.plugins.kubernetes.pods import pods_told
from lab.plugins.kubernetes.session import Session
from lab.plugins.kubernetes.settling import NotReady, Refused, title
from lab.plugins.kubernetes.wire import Object, plain

_PROPAGATION = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


def read(
    session: Session, urn: str, resource_id: str, state: Object, inputs: Object
) -> tuple[Object, Object] | None:
    """Return state and inputs of the live object, None where it is gone.

    Without `inputs` (an import) they are made from the object. Raises `NotReady` where a refresh
    finds a workload that is not ready.
    """
    cluster = session.cluster()
    api_version = objects.text(plain(inputs.get("apiVersion") or state.get("apiVersion")))
    kind_name = objects.text(plain(inputs.get("kind") or state.get("kind")))
    if not api_version or not kind_name:
        api_version, kind_name = objects.type_of_urn(urn)
    namespace, name = objects.split_id(resource_id)
    try:
        kind = cluster.kind(api_version, kind_name)
        if kind.namespaced and not namespace:
            namespace = session.default_namespace()
        live = cluster.request("GET", kind.path(namespace, name))
    except NoMatch:
        return None
    except ApiError as error:
        if error.code == 404:
            return None
        raise Refused(f"reading {urn!r} failed: {error}") from None
    importing = not inputs
    fresh = (
        drift.imported_inputs(live) if importing else drift.refreshed_inputs(inputs, state, live)
    )
    manager = objects.field_manager(urn, fresh, plain(state))
    found = objects.to_state(live, fresh, manager)
    if not importing and await_ready.checked_on_read(live) and not await_ready.skipped(inputs):
        try:
            lacking = await_ready.missing(live)
        except await_ready.NeverReady as error:
            lacking = str(error)
        if lacking:
            raise NotReady(found, f"{title(live)}: {lacking}", pods_told(cluster, live))
    return found, fresh


def delete(
    session: Session, urn: str, resource_id: str, state: Object, inputs: Object, timeout: float
) -> None:
    """Delete the object and wait until it is gone; what is gone already is fine.

    Raises `Refused`, `NotReady` (told to go, but still there) or `Unreachable`.
    """
    cluster = session.cluster()
    obj = plain(state) if state.get("kind") else plain(inputs)
    namespace, name = objects.split_id(resource_id)
    try:
        kind = cluster.kind(objects.text(obj.get("apiVersion")), objects.text(obj.get("kind")))
    except NoMatch:
        return  # its CRD is gone, and so is every object of it
    path = kind.path(namespace, name)
    given = objects.annotation(inputs or obj, "pulumi.com/deletionPropagationPolicy")
    options = {"propagationPolicy": _PROPAGATION.get(given.lower(), "Foreground")}
    try:
        answer = cluster.request("DELETE", path, body=options)
    except ApiError as error:
        if error.code == 404:
            return
        if error.code == 403 and "may not be deleted" in str(error):
            # `default`, `kube-system`: give the fields back and let it be, as the official does.
            _relinquish(
                cluster, kind, namespace, name, obj, objects.field_manager(urn, inputs, obj)
            )
            session.log("WARNING", f"{error}: left in the cluster, no longer managed", urn)
            return
        raise Refused(f"deletion of {title(obj)} failed: {error}") from None
    if await_ready.skipped(inputs or obj):
        return
    uid = (answer.get("details") or answer.get("metadata") or {}).get("uid")
    latest = [obj]

    def check() -> str | None:
        try:
            latest[0] = cluster.request("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        meta = latest[0]["metadata"]
        if uid and meta.get("uid") != uid:
            return None  # somebody created a new one of the same name
        held = ", ".join(meta.get("finalizers") or [])
        phase = (latest[0].get("status") or {}).get("phase")
        return f"still there ({phase or 'finalizers: ' + (held or 'none')})"

    seconds = await_ready.timeout(inputs or obj, timeout, await_ready.DELETE_TIMEOUT)
    try:
        lacking = session.wait_for(check, seconds)
    except ApiError as error:
        raise Refused(f"deletion of {title(obj)}: {error}") from None
    if lacking:
        manager = objects.field_manager(urn, inputs, obj)
        raise NotReady(
            objects.to_state(latest[0], inputs, manager),
            f"timed out after {seconds:.0f} s waiting for deletion of {title(obj)}: {lacking}",
            [],
        )


def _relinquish(
    cluster: Cluster, kind: Kind, namespace: str | None, name: str, obj: Object, manager: str
) -> None:
    body = {key: obj[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": name}}
    query = {"fieldManager": manager, "force": "true"}
    cluster.request("PATCH", kind.path(namespace, name), query=query, body=body, content=APPLY)
