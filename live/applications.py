"""The Applications on the hub, one by one: whose they are, what they deploy, how they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from live.cluster_api import ClusterAPI

REFRESH = "argocd.argoproj.io/application-set-refresh"
"""By this annotation Argo CD looks at an ApplicationSet at once."""


@dataclass(frozen=True)
class Application:
    """One Application; `set` is the ApplicationSet that owns it, "" for none."""

    name: str
    uid: str
    set: str
    owner_uid: str
    cluster: str
    project: str
    namespace: str
    repo: str
    path: str
    revision: str
    synced: bool
    healthy: bool
    trouble: str


def read(api: ClusterAPI, namespace: str) -> dict[str, Application]:
    """All Applications in Argo CD's namespace, by name. Raises Unreachable."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications"
    return {one.name: one for one in map(_application, api.items(path))}


def release(api: ClusterAPI, namespace: str, one: Application) -> None:
    """Take the Application from the set that owns it, so that another may. Raises Unreachable.

    Only from that very set: where another has it by now, Kubernetes refuses the change.
    """
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications/{one.name}"
    owners = api.json(path)["metadata"].get("ownerReferences") or []
    for index, owner in enumerate(owners):
        if owner.get("uid") == one.owner_uid:
            place = f"/metadata/ownerReferences/{index}"
            api.patch(
                path,
                [
                    {"op": "test", "path": f"{place}/uid", "value": one.owner_uid},
                    {"op": "remove", "path": place},
                ],
            )


def let_go(api: ClusterAPI, namespace: str, name: str) -> None:
    """Delete an ApplicationSet, and leave its Applications as they are, without an owner. Raises Unreachable."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applicationsets/{name}"
    api.delete(f"{path}?propagationPolicy=Orphan")


def refresh_set(api: ClusterAPI, namespace: str, name: str) -> None:
    """Have Argo CD look at an ApplicationSet now, and not minutes after its last error. Raises Unreachable."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applicationsets/{name}"
    api.merge(path, {"metadata": {"annotations": {REFRESH: "true"}}})


def _application(item: Mapping[str, Any]) -> Application:
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    owner = next(_sets(metadata), {})
    source, sync = spec.get("source") or {}, status.get("sync") or {}
    health = status.get("health") or {}
    errors = [
        str(one.get("message") or "")
        for one in status.get("conditions") or ()
        if str(one.get("type", "")).endswith("Error")
    ]
    return Application(
        name=metadata["name"],
        uid=metadata["uid"],
        set=str(owner.get("name") or ""),
        owner_uid=str(owner.get("uid") or ""),
        cluster=str((metadata.get("labels") or {}).get("cluster_name") or ""),
        project=str(spec.get("project") or ""),
        namespace=str((spec.get("destination") or {}).get("namespace") or ""),
        repo=str(source.get("repoURL") or ""),
        path=str(source.get("path") or ""),
        revision=str(sync.get("revision") or ""),
        synced=sync.get("status") == "Synced"
        # Of what the spec says now: the status may still be that of another repo.
        and ((sync.get("comparedTo") or {}).get("source") or {}).get("repoURL")
        == source.get("repoURL"),
        healthy=health.get("status") == "Healthy",
        trouble=" ".join(" ".join(errors).split()),
    )


def _sets(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == "ApplicationSet":
            yield owner
