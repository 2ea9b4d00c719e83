"""`Check`: what is filled in before inputs are compared and sent, and what is refused at once."""

from __future__ import annotations

from lab.plugins.kubernetes import objects
from lab.plugins.kubernetes.cluster import canonical
from lab.plugins.kubernetes.session import Session
from lab.plugins.kubernetes.wire import UNKNOWN, Object, plain

Failure = tuple[str, str]


def check_inputs(
    session: Session, urn: str, old: Object, new: Object, seed: bytes
) -> tuple[Object, list[Failure]]:
    """Return the inputs with name and namespace filled in, and what is wrong with them."""
    api_version, kind = objects.type_of_urn(urn)
    inputs = objects.without_read_only(new)
    if api_version:
        inputs = {**inputs, "apiVersion": inputs.get("apiVersion", api_version)}
        inputs["kind"] = inputs.get("kind", kind)
    wrong = _unsupported(urn, inputs) or _wrong(inputs)
    if wrong:
        return inputs, wrong
    inputs = objects.named(inputs, old, urn, seed)
    inputs = _in_namespace(session, inputs, old)
    if objects.full_kind(inputs).endswith("/CustomResourceDefinition"):
        session.learn_crd(plain(inputs))
    return objects.with_secrets(inputs), []


def _unsupported(urn: str, inputs: Object) -> list[Failure]:
    api_version, kind = objects.type_of_urn(urn)
    patch = kind.endswith("Patch") and f"{plain(inputs.get('kind'))}Patch" == kind
    if patch or api_version.startswith("helm.sh/"):
        return [("kind", f"{api_version} {kind}: not supported by the lab's kubernetes plugin")]
    return []


def _wrong(inputs: Object) -> list[Failure]:
    missing = [name for name in ("apiVersion", "kind") if not inputs.get(name)]
    if missing:
        return [(name, "Kubernetes resources require a kind and apiVersion") for name in missing]
    kind = plain(inputs["kind"])
    if isinstance(kind, str) and kind.endswith("List") and "items" in inputs:
        return [("kind", "list resources can't be created: declare their items one by one")]
    meta = plain(inputs.get("metadata", {}))
    if meta is UNKNOWN:
        return []
    if not isinstance(meta, dict):
        return [("metadata", "must be an object")]
    if "generateName" in meta and "name" not in meta:
        reason = "the `.metadata.generateName` field is not supported in Server-Side Apply mode"
        return [("metadata.generateName", reason)]
    name = meta.get("name", "x")
    if name is not UNKNOWN and (not isinstance(name, str) or not name):
        return [("metadata.name", "must be a text that is not empty")]
    return []


def _in_namespace(session: Session, inputs: Object, old: Object) -> Object:
    """Return `inputs` with the provider's namespace where they name none and can have one."""
    meta = inputs.get("metadata", {})
    if not isinstance(meta, dict) or meta.get("namespace"):
        return inputs
    api_version, kind = plain(inputs["apiVersion"]), plain(inputs["kind"])
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return inputs
    scope = session.namespaced(canonical(api_version), kind)
    if scope is None and old:
        scope = "namespace" in objects.metadata(old)
    if scope is False:
        return inputs
    # Of a kind that nobody knows yet a namespace is assumed; `create` drops it where wrong.
    return {**inputs, "metadata": {**meta, "namespace": session.default_namespace()}}


def without_stray_namespace(session: Session, old: Object, new: Object) -> tuple[Object, Object]:
    """Return both inputs without a namespace where their kind has none.

    While the kind was unknown one was assumed; that must not replace the object later.
    """
    before, after = objects.metadata(old).get("namespace"), objects.metadata(new).get("namespace")
    api_version, kind = plain(new.get("apiVersion")), plain(new.get("kind"))
    if before == after or not isinstance(api_version, str) or not isinstance(kind, str):
        return old, new
    if session.namespaced(canonical(api_version), kind) is not False:
        return old, new
    return _without_namespace(old), _without_namespace(new)


def _without_namespace(inputs: Object) -> Object:
    meta = inputs.get("metadata")
    if not isinstance(meta, dict):
        return inputs
    return {**inputs, "metadata": {k: v for k, v in meta.items() if k != "namespace"}}
