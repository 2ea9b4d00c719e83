"""CustomResourceDefinitions applied to a cluster, by server-side apply: made, brought up to date, never deleted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from live import field_managers
from live.cluster_api import ClusterAPI, NotFound, Unreachable
from live.field_managers import FLEET_CRDS as MANAGER
from stacks.desired.objects import KubernetesObject

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
            last = _last_managers(api, names, pool)
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


def made_by_others(api: ClusterAPI, names: Iterable[str]) -> dict[str, str]:
    """Those of the CRDs with these names whose spec neither Fleet nor Pulumi wrote last, and who did.

    Raises Unreachable.
    """
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        last = _last_managers(api, [*names], pool)
    return {name: by for name, by in last.items() if by and not _ours(by)}


def _last_managers(
    api: ClusterAPI, names: Sequence[str], pool: ThreadPoolExecutor
) -> dict[str, str]:
    """The field manager that wrote the spec of each CRD last; empty where there is no such CRD."""

    def last(name: str) -> str:
        try:
            managers = field_managers.of_the_spec(api.metadata(_path(name)))
        except NotFound:
            return ""
        return sorted(managers, key=_ours)[-1]

    return dict(zip(names, pool.map(last, names), strict=True))


def _ours(manager: str) -> bool:
    return manager == MANAGER or field_managers.applied_by_pulumi(manager)


def _apply(
    api: ClusterAPI, crd: KubernetesObject, last: Mapping[str, str], *, dry_run: bool
) -> None:
    name = crd["metadata"]["name"]
    # Under the name that Pulumi's plugin made it by, where it did: what another manager has applied as well would stay
    # when it leaves the CRD, a conversion webhook for one.
    manager = last[name] if field_managers.applied_by_pulumi(last[name]) else MANAGER
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
        "See docs/recover.md#a-cluster-has-it-already"
    )
