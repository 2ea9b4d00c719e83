"""CustomResourceDefinitions applied to a cluster, by server-side apply: made, brought up to date, never deleted."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from live.cluster_api import ClusterAPI, NotFound, Unreachable
from stacks.desired.objects import KubernetesObject

MANAGER = "fleet-crds"
"""The field manager under which they are applied."""
BEFORE = re.compile(r"pulumi-kubernetes(-[0-9a-f]+)?")
"""That of Pulumi's plugin, which made them before Fleet did."""
ESTABLISHED_SECONDS = 60.0
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_SIDE_BY_SIDE = 8
_NAMED = 3


class CrdError(Exception):
    """CRDs that can't be applied; the message says which, why, and what to do."""


def apply(
    api: ClusterAPI, crds: Sequence[KubernetesObject], *, instead: str, take_over: bool = False
) -> None:
    """Make the cluster behind `api` have these CRDs, and wait until each is established.

    Those that somebody else made are refused, unless `take_over`; `instead` says what else there is to do. Nothing is
    applied before the server has said of all that it would take them.
    Raises CrdError, also where the cluster doesn't answer or refuses.
    """
    names = [one["metadata"]["name"] for one in crds]
    try:
        api.version()  # one connection first, not as many log-ins as threads
        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
            last = dict(
                zip(names, pool.map(lambda name: _last_manager(api, name), names), strict=True)
            )
            foreign = [f"{name} ({by})" for name, by in last.items() if by and not _ours(by)]
            if foreign and not take_over:
                raise CrdError(_refusal(foreign, instead))
            for dry_run in (True, False):
                list(pool.map(lambda one, dry=dry_run: _apply(api, one, last, dry_run=dry), crds))
            late = [name for name in pool.map(lambda name: _unserved(api, name), names) if name]
    except Unreachable as error:
        raise CrdError(f"its CRDs can't be applied: {error}") from None
    if late:
        raise CrdError(
            f"{', '.join(late)}: applied, but not established after {ESTABLISHED_SECONDS:.0f} s; run again, and if it "
            f"stays so, look at `kubectl describe crd {late[0]}`"
        )


def _last_manager(api: ClusterAPI, name: str) -> str:
    """The field manager that wrote the spec of this CRD last; empty where there is no such CRD."""
    try:
        metadata = api.json(_path(name))["metadata"]
    except NotFound:
        return ""
    wrote = [
        (entry.get("time", ""), entry.get("manager", ""))
        for entry in metadata.get("managedFields") or ()
        if "f:spec" in (entry.get("fieldsV1") or {})
    ]
    latest = max((time for time, _ in wrote), default="")
    managers = sorted((by for time, by in wrote if time == latest), key=_ours)
    return managers[-1] if managers else "nobody known"


def _ours(manager: str) -> bool:
    return manager == MANAGER or bool(BEFORE.fullmatch(manager))


def _apply(
    api: ClusterAPI, crd: KubernetesObject, last: Mapping[str, str], *, dry_run: bool
) -> None:
    name = crd["metadata"]["name"]
    # Under the name that Pulumi's plugin made it by, where it did: what another manager has applied as well would stay
    # when it leaves the CRD, a conversion webhook for one.
    manager = last[name] if BEFORE.fullmatch(last[name]) else MANAGER
    api.apply(_path(name), crd, manager=manager, dry_run=dry_run)


def _path(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"


def _unserved(api: ClusterAPI, name: str) -> str:
    """`name` where the CRD is not established in time."""
    end = time.monotonic() + ESTABLISHED_SECONDS
    while time.monotonic() < end:
        conditions = api.json(_path(name)).get("status", {}).get("conditions") or ()
        if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            return ""
        time.sleep(0.3)
    return name


def _refusal(foreign: Sequence[str], instead: str) -> str:
    more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
    return (
        f"it has CRDs that Fleet did not make: {', '.join(foreign[:_NAMED])}{more}. If what they belong to stays, "
        f"{instead}; if it has gone, have Fleet take them over: PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true for one run. "
        "See docs/recover.md"
    )
