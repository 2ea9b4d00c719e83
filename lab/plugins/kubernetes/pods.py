"""What the Pods of an unready workload say, for the error of an `up` that timed out."""

from __future__ import annotations

from lab.plugins.kubernetes.cluster import ApiError, Cluster, Unreachable
from lab.plugins.kubernetes.wire import Object

_WORKLOADS = frozenset({"Deployment", "DaemonSet", "Job", "ReplicaSet", "StatefulSet"})
_SHOWN = 5


def pods_told(cluster: Cluster, live: Object) -> list[str]:
    """Return one line for each of the first unready Pods of a workload, none for other kinds."""
    labels = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if live.get("kind") not in _WORKLOADS or not labels:
        return []
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    path = f"/api/v1/namespaces/{live['metadata']['namespace']}/pods"
    try:
        pods = cluster.request("GET", path, query={"labelSelector": selector}).get("items") or []
    except (ApiError, Unreachable):
        return []
    lines = [line for pod in pods if (line := _told(pod))]
    return lines[:_SHOWN] or ([] if pods else ["no Pod exists yet"])


def _told(pod: Object) -> str:
    status = pod.get("status") or {}
    conditions = {one.get("type"): one for one in status.get("conditions") or []}
    if conditions.get("Ready", {}).get("status") == "True":
        return ""
    waiting = [
        f"container {one['name']}: {state.get('reason') or ''} {state.get('message') or ''}".strip()
        for one in (status.get("containerStatuses") or [])
        if (state := (one.get("state") or {}).get("waiting"))
    ]
    unscheduled = conditions.get("PodScheduled", {})
    if unscheduled.get("status") == "False":
        waiting.append(f"not scheduled: {unscheduled.get('message')}")
    return f"Pod {pod['metadata']['name']} is {status.get('phase')}: {'; '.join(waiting) or 'not ready'}"
