"""When an object counts as ready, by kind, as the official plugin waits for it.

Each check is a pure function of the live object and returns what is missing, or None. Kinds without
one are ready as soon as they exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.plugins.kubernetes.objects import annotation, full_kind, is_true
from lab.plugins.kubernetes.wire import Object

DEFAULT_TIMEOUT = 600.0
"""Seconds, as the official plugin's for Deployments, Jobs and the like."""

DELETE_TIMEOUT = 300.0
"""Seconds until a deletion is given up, as the official plugin's."""

Check = Callable[[Object], "str | None"]


class NeverReady(Exception):
    """Waiting longer is no use; the text says why."""


def skipped(inputs: Object) -> bool:
    """Tell whether the program asked not to wait."""
    return is_true(inputs, "pulumi.com/skipAwait")


def timeout(inputs: Object, custom: float, default: float = DEFAULT_TIMEOUT) -> float:
    """Return how long to wait, in seconds: `custom` timeouts, then the annotation, then `default`."""
    if custom:
        return custom
    try:
        return float(annotation(inputs, "pulumi.com/timeoutSeconds"))
    except ValueError:
        return default


def missing(live: Object) -> str | None:
    """Return what `live` still lacks, None where it is ready; raises `NeverReady`."""
    asked = annotation(live, "pulumi.com/waitFor")
    if asked:
        return _asked_for(live, asked)
    check = _CHECKS.get(full_kind(live))
    return check(live) if check else None


def checked_on_read(live: Object) -> bool:
    """Tell whether a refresh reports an unready object of this kind, as the official one does."""
    return full_kind(live) in _READ_CHECKED


def _conditions(live: Object) -> dict[str, Object]:
    found = (live.get("status") or {}).get("conditions") or []
    return {one.get("type", ""): one for one in found}


def _told(live: Object) -> str:
    """Return the object's own words on what is wrong, from its conditions."""
    told = [
        f"{name}: {one.get('reason') or ''} {one.get('message') or ''}".strip()
        for name, one in _conditions(live).items()
        if (one.get("status") == "True") == (name in ("ReplicaFailure", "Failed"))
    ]
    return f" ({'; '.join(told)})" if told else ""


def _observed(live: Object) -> bool:
    seen = (live.get("status") or {}).get("observedGeneration") or 0
    return int(seen) >= int(live["metadata"].get("generation") or 0)


def _crd(live: Object) -> str | None:
    conditions = _conditions(live)
    names = conditions.get("NamesAccepted", {})
    if names.get("status") == "False":
        raise NeverReady(f"names not accepted: {names.get('message') or names.get('reason')}")
    if conditions.get("Established", {}).get("status") == "True":
        return None
    return "CustomResourceDefinition is not Established"


def _deployment(live: Object) -> str | None:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    wanted = spec.get("replicas", 1)
    if not _observed(live):
        return "the deployment controller has not seen the change yet"
    if spec.get("paused"):
        return None
    updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    total = status.get("replicas") or 0
    if updated < wanted or available < wanted:
        return f"{min(updated, available)} of {wanted} updated Pods are available{_told(live)}"
    if total > updated:
        return f"{total - updated} old Pods still run"
    if wanted and _conditions(live).get("Available", {}).get("status") != "True":
        return f"Deployment is not Available{_told(live)}"
    return None


def _stateful_set(live: Object) -> str | None:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    wanted = spec.get("replicas", 1)
    if not _observed(live):
        return "the statefulset controller has not seen the change yet"
    ready = status.get("readyReplicas") or 0
    if ready < wanted:
        return f"{ready} of {wanted} Pods are ready{_told(live)}"
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate" and not partition
    if rolling and status.get("currentRevision") != status.get("updateRevision"):
        return f"{status.get('updatedReplicas') or 0} of {wanted} Pods are at the new revision"
    return None


def _daemon_set(live: Object) -> str | None:
    status = live.get("status") or {}
    wanted = status.get("desiredNumberScheduled") or 0
    if not _observed(live):
        return "the daemonset controller has not seen the change yet"
    ready, updated = status.get("numberReady") or 0, status.get("updatedNumberScheduled") or 0
    if min(ready, updated) < wanted:
        return f"{min(ready, updated)} of {wanted} Pods are updated and ready"
    return None


def _job(live: Object) -> str | None:
    conditions = _conditions(live)
    failed = conditions.get("Failed", {})
    if failed.get("status") == "True":
        raise NeverReady(f"Job failed: {failed.get('reason')}: {failed.get('message')}")
    if conditions.get("Complete", {}).get("status") == "True":
        return None
    status = live.get("status") or {}
    done, failures = status.get("succeeded") or 0, status.get("failed") or 0
    return f"Job is not complete ({done} Pods succeeded, {failures} failed)"


def _pod(live: Object) -> str | None:
    status = live.get("status") or {}
    if status.get("phase") == "Succeeded":
        return None
    if status.get("phase") == "Failed":
        raise NeverReady(f"Pod failed: {status.get('reason')} {status.get('message')}")
    if _conditions(live).get("Ready", {}).get("status") == "True":
        return None
    return f"Pod is {status.get('phase') or 'Pending'}{_told(live)}"


def _namespace(live: Object) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    return None if phase in (None, "", "Active") else f"Namespace is {phase}"


def _secret(live: Object) -> str | None:
    if live.get("type") != "kubernetes.io/service-account-token" or (live.get("data") or {}).get(
        "token"
    ):
        return None
    return "the token controller has not filled in the ServiceAccount's token"


def _claim(live: Object) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    return None if phase == "Bound" else f"PersistentVolumeClaim is {phase or 'Pending'}"


def _volume(live: Object) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    return None if phase in ("Available", "Bound") else f"PersistentVolume is {phase or 'Pending'}"


def _service(live: Object) -> str | None:
    if (live.get("spec") or {}).get("type") != "LoadBalancer":
        return None
    given = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return None if given else "Service has no load balancer address"


def _asked_for(live: Object, asked: str) -> str | None:
    """Check `condition=Type[=Status]` or `jsonpath={.a.b}[=value]` of `pulumi.com/waitFor`."""
    how, _, rest = asked.partition("=")
    if how == "condition":
        name, _, status = rest.partition("=")
        found = _conditions(live).get(name, {})
        if str(found.get("status", "")).lower() == (status or "True").lower():
            return None
        return f"condition {name} is {found.get('status') or 'missing'} {found.get('message', '')}"
    path, _, wanted = rest.partition("}=") if "}=" in rest else (rest.rstrip("}"), "", "")
    value: Any = live
    for part in path.lstrip("{").strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is not None and (not wanted or str(value).lower() == wanted.lower()):
        return None
    return f"waiting for {asked}"


_CHECKS: dict[str, Check] = {
    "apiextensions.k8s.io/v1/CustomResourceDefinition": _crd,
    "apps/v1/DaemonSet": _daemon_set,
    "apps/v1/Deployment": _deployment,
    "apps/v1/StatefulSet": _stateful_set,
    "batch/v1/Job": _job,
    "v1/Namespace": _namespace,
    "v1/PersistentVolume": _volume,
    "v1/PersistentVolumeClaim": _claim,
    "v1/Pod": _pod,
    "v1/Secret": _secret,
    "v1/Service": _service,
}
_READ_CHECKED = frozenset(
    ("apps/v1/DaemonSet", "apps/v1/Deployment", "apps/v1/StatefulSet", "batch/v1/Job", "v1/Pod")
)
