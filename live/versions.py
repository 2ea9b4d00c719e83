"""What Argo CD says of the services' Applications: which images run, of which commit, since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from live.cluster_api import ClusterAPI


@dataclass(frozen=True, kw_only=True)
class Running:
    """An Application, by its labels and what it deploys; `images` are those that its Pods' templates have.

    `deployed` is when Argo CD last synced it, None where it never did. `trouble` has its own words, where it has any.
    """

    name: str
    cluster: str
    environment: str
    repo: str
    path: str
    sync: str
    health: str
    revision: str
    images: tuple[str, ...]
    deployed: datetime | None
    trouble: str = ""


def read(api: ClusterAPI, namespace: str, environment: str = "") -> list[Running]:
    """The Applications with this label `environment`, all of them without one. Raises Unreachable."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications"
    selector = f"environment={environment}" if environment else "environment"
    return [_running(item) for item in api.items(path, selector)]


def pods(api: ClusterAPI, namespace: str) -> list[tuple[str, str, str]]:
    """Of each container that runs in a namespace: its Pod, its image, and the digest that the node pulled, or "".

    Raises Unreachable.
    """
    return [
        (item["metadata"]["name"], image, digest)
        for item in api.items(f"/api/v1/namespaces/{namespace}/pods")
        for image, digest in _containers(item)
    ]


def _running(item: Mapping[str, Any]) -> Running:
    labels = item["metadata"].get("labels") or {}
    spec, status = item.get("spec") or {}, item.get("status") or {}
    source, sync = spec.get("source") or {}, status.get("sync") or {}
    compared = (sync.get("comparedTo") or {}).get("source") or {}
    # Of what the spec says now: the status may still be that of another repo.
    current = (compared.get("repoURL"), compared.get("path")) == (
        source.get("repoURL"),
        source.get("path"),
    )
    history = status.get("history") or ()
    operation = status.get("operationState") or {}
    said = [str(one.get("message") or "") for one in status.get("conditions") or ()]
    if operation.get("phase") not in (None, "Succeeded"):
        said.append(str(operation.get("message") or ""))
    return Running(
        name=item["metadata"]["name"],
        cluster=str(labels.get("cluster_name") or ""),
        environment=str(labels.get("environment") or ""),
        repo=str(source.get("repoURL") or ""),
        path=str(source.get("path") or ""),
        sync=str(sync.get("status") or "Unknown") if current else "Unknown",
        health=str((status.get("health") or {}).get("status") or "Unknown"),
        revision=str(sync.get("revision") or "") if current else "",
        images=tuple(map(str, (status.get("summary") or {}).get("images") or ())),
        deployed=_time(history[-1].get("deployedAt")) if history else None,
        trouble=" ".join(" ".join(said).split())[:300],
    )


def _containers(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    status = item.get("status") or {}
    if item["metadata"].get("deletionTimestamp") or status.get("phase") in ("Succeeded", "Failed"):
        return
    ids = {
        one.get("name"): str(one.get("imageID") or "")
        for one in status.get("containerStatuses") or ()
    }
    for one in (item.get("spec") or {}).get("containers") or ():
        digest = ids.get(one.get("name"), "").rpartition("@")[2]
        yield str(one.get("image") or ""), digest if digest.startswith("sha256:") else ""


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
