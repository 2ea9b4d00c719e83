"""CustomResourceDefinitions applied to a cluster, by server-side apply: made, brought up to date, never deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from live.cluster_api import ClusterAPI, NotFound, Unreachable
from stacks.desired.objects import KubernetesObject

MANAGER = "fleet-crds"
"""The field manager under which they are applied."""
BEFORE = "pulumi-kubernetes"
"""How the field managers of Pulumi's plugin begin, which made them before Fleet did."""
ESTABLISHED_SECONDS = 60.0
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_SIDE_BY_SIDE = 8
_NAMED = 3


class CrdError(Exception):
    """CRDs that can't be applied; the message says which, why, and what to do."""


def apply(
    api: ClusterAPI, crds: Sequence[KubernetesObject], *, instead: str, take_over: bool = False
) -> None:
    """Make the cluster behind `api` have these CRDs, and wait until it serves them.

    Those that somebody else made are refused, all of them before anything is applied, unless `take_over`; `instead`
    says what else there is to do.
    Raises CrdError, also where the cluster doesn't answer or refuses.
    """
    names = [one["metadata"]["name"] for one in crds]
    try:
        api.version()  # one connection first, not as many log-ins as threads
        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
            foreign = [one for one in pool.map(lambda name: _foreign(api, name), names) if one]
            if foreign and not take_over:
                raise CrdError(_refusal(foreign, instead))
            list(pool.map(lambda one: _apply(api, one), crds))
            late = [name for name in pool.map(lambda name: _unserved(api, name), names) if name]
    except Unreachable as error:
        raise CrdError(f"its CRDs can't be applied: {error}") from None
    if late:
        raise CrdError(
            f"{', '.join(late)}: applied, but not served after {ESTABLISHED_SECONDS:.0f} s; run again, and if it stays "
            f"so, look at `kubectl describe crd {late[0]}`"
        )


def _foreign(api: ClusterAPI, name: str) -> str:
    """Who else made the CRD of this name, as `name (manager)`; empty where nobody did, or Fleet."""
    try:
        metadata = api.json(f"{_PATH}/{name}")["metadata"]
    except NotFound:
        return ""
    managers = {
        entry.get("manager", "")
        for entry in metadata.get("managedFields") or ()
        if entry.get("subresource") != "status"
    }
    if any(manager == MANAGER or manager.startswith(BEFORE) for manager in managers):
        return ""
    return f"{name} ({', '.join(sorted(managers)) or 'maker unknown'})"


def _apply(api: ClusterAPI, crd: KubernetesObject) -> None:
    api.apply(f"{_PATH}/{crd['metadata']['name']}", crd, manager=MANAGER)


def _unserved(api: ClusterAPI, name: str) -> str:
    """`name` where the CRD is not served in time."""
    end = time.monotonic() + ESTABLISHED_SECONDS
    while time.monotonic() < end:
        conditions = api.json(f"{_PATH}/{name}").get("status", {}).get("conditions") or ()
        if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            return ""
        time.sleep(0.1)
    return name


def _refusal(foreign: Sequence[str], instead: str) -> str:
    more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
    return (
        f"it has CRDs that Fleet did not make: {', '.join(foreign[:_NAMED])}{more}. If what they belong to stays, "
        f"{instead}; if it has gone, have Fleet take them over: PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true for one run. "
        "See docs/recover.md"
    )
