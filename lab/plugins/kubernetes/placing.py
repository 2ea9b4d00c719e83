"""Default namespaces for the objects of a manifest, where only the cluster knows who takes one."""

from __future__ import annotations

from lab.plugins.kubernetes import objects
from lab.plugins.kubernetes.cluster import canonical
from lab.plugins.kubernetes.session import Session
from lab.plugins.kubernetes.wire import Object, plain


def with_namespaces(
    session: Session, found: list[Object], namespace: str | None = None
) -> list[Object]:
    """Return the objects with `namespace` where they name none and can have one.

    Without `namespace` it is the provider's. CRDs among the objects tell the scope of their kinds.
    """
    for obj in found:
        if objects.full_kind(obj).endswith("/CustomResourceDefinition"):
            session.learn_crd(plain(obj))
    default = namespace or session.default_namespace()
    return [_placed(session, obj, default) for obj in found]


def _placed(session: Session, obj: Object, namespace: str) -> Object:
    api_version = canonical(objects.text(plain(obj["apiVersion"])))
    placed = {**obj, "apiVersion": api_version or obj["apiVersion"]}
    if objects.metadata(obj).get("namespace"):
        return placed
    if session.namespaced(api_version, objects.text(plain(obj["kind"]))) is False:
        return placed
    return {**placed, "metadata": {**obj["metadata"], "namespace": namespace}}
