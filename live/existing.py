"""What is on a cluster already of all that a stack would make there, and who made it: asked before anything is made.

Without it a first `up` on a cluster that had External Secrets or Argo CD before ends in the middle, object by object.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from live import another_argocd, crds, field_managers
from live.cluster_api import ClusterAPI, NotFound, Unreachable
from stacks.desired.crds import Manifest
from stacks.desired.footprint import ARGOCD, Footprint, footprints
from stacks.desired.objects import CRD, KubernetesObject
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.access import ClusterAccess, Endpoint
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet

TAKE_OVER = "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"
"""The variable by which Pulumi's plugin takes over what exists; it counts for CRDs too."""
GUIDE = "docs/recover.md#a-cluster-has-it-already"
_CLUSTERS = 16
_SIDE_BY_SIDE = 8
_NAMED = 3


@dataclass(frozen=True)
class Found:
    """An object that is there already, and the field manager that made it."""

    kind: str
    name: str
    by: str


def ask(
    fleet: Fleet,
    stack: str,
    hub: ClusterAccess,
    endpoints: Mapping[str, Endpoint],
    manifests: Sequence[Manifest],
    silent: Collection[str],
) -> tuple[list[Problem], list[str]]:
    """What of all that the stack would make is there and somebody else's: a problem per cluster, or a warning where it
    is to be taken over.

    `manifests` are Argo CD's, External Secrets' and Argo Rollouts'. Of what Pulumi has made there before, one object is
    asked for; of a spoke that is among the `silent`, or may not be asked, none. Raises ManifestError where Argo CD's
    can't be used.
    """
    by_cluster: dict[str | None, list[Footprint]] = {}
    for one in footprints(fleet, *manifests):
        if one.spoke not in silent:
            by_cluster.setdefault(one.spoke, []).append(one)
    access = {name: endpoints[name].access if name else hub for name in by_cluster}
    with ThreadPoolExecutor(max_workers=_CLUSTERS) as pool:
        asked = [
            pool.submit(_ask, fleet, stack, there, by_cluster[name])
            for name, there in access.items()
            if there
        ]
    told = [found for answer in asked if (found := answer.result())]
    return (
        [Problem(one.where, f"{one.said}. {one.remedy}") for one in told if not one.allowed],
        [
            f"{one.where}: {one.said}: taken over, as {TAKE_OVER} has it"
            for one in told
            if one.allowed
        ],
    )


@dataclass(frozen=True)
class _Told:
    """What one cluster has: where the stack file asks for it, the finding in words, and what to do about it."""

    where: str
    said: str
    remedy: str
    allowed: bool


def _ask(
    fleet: Fleet, stack: str, access: ClusterAccess, wanted: Sequence[Footprint]
) -> _Told | None:
    """What others have made of what is `wanted` on one cluster; None where nothing, or where it doesn't say."""
    api = ClusterAPI(Kubeconfig.of(access.kubeconfig), access.context)
    try:
        there = [(one, found) for one in wanted if (found := made_by_others(api, one))]
    except Unreachable:
        return None  # `up` will tell, as it does of everything there.
    if not there:
        return None
    cluster = f'"{wanted[0].spoke}"' if wanted[0].spoke else f"the hub ({access.context})"
    listed = _listed(each for _, some in there for each in some)
    said = f"{cluster} has what this stack would make, and others made it: {listed}"
    take_over = os.environ.get(TAKE_OVER) == "true"
    if argocd := [one for one, _ in there if one.where == ARGOCD]:
        try:
            running = another_argocd.read(api, fleet, argocd[0].objects)
        except Unreachable as error:
            remedy = "`up` must know what it would change for others; let your user list them"
            return _Told(ARGOCD, f"{said}. Who uses it can't be read: {error}", remedy, False)
        if running:
            return _Told(
                ARGOCD,
                f"{said}. {running.told()}",
                running.remedy(stack, access.context, TAKE_OVER),
                take_over and running.owner == stack,
            )
    instead = " or ".join(dict.fromkeys(one.instead for one, _ in there))
    remedy = (
        f"If it is in use and stays, {instead}; if it was left over, one `up` with {TAKE_OVER}=true takes it over. "
        f"See {GUIDE}"
    )
    return _Told(there[0][0].where, said, remedy, take_over)


def made_by_others(api: ClusterAPI, wanted: Footprint) -> list[Found]:
    """What of `wanted` is on the cluster behind `api`, and neither Pulumi nor Fleet has made it. Raises Unreachable."""
    first, *rest = wanted.objects
    there = _metadata(api, first)
    if there and field_managers.written_by_pulumi(there):
        return []
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        others = pool.map(lambda one: _metadata(api, one), rest)
        found = [
            Found(one["kind"], one["metadata"]["name"], field_managers.first(metadata))
            for one, metadata in zip(wanted.objects, [there, *others], strict=True)
            if metadata and _of_others(metadata)
        ]
    theirs = crds.made_by_others(api, wanted.crds)
    return [Found(CRD, name, by) for name, by in theirs.items()] + found


def _of_others(metadata: Mapping[str, object]) -> bool:
    """Whether others made an object; of one whose maker nobody knows, it may be Pulumi."""
    return bool(field_managers.first(metadata)) and not field_managers.written_by_pulumi(metadata)


def _metadata(api: ClusterAPI, one: KubernetesObject) -> Mapping[str, object] | None:
    """The metadata of an object on the cluster, None where it isn't there."""
    version, kind = one["apiVersion"], one["kind"].lower()
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = one["metadata"].get("namespace")
    inside = f"/namespaces/{namespace}" if namespace else ""
    # The kinds of these installations follow the rule; one that didn't would be taken for missing, as before.
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    try:
        return api.metadata(f"{base}{inside}/{plural}/{one['metadata']['name']}")
    except NotFound:
        return None


def _listed(found: Iterable[Found]) -> str:
    """Kind by kind: how many, some of their names, and who made them."""
    kinds = []
    for kind, group in groupby(
        sorted(found, key=lambda one: (one.kind != CRD, one.kind)), lambda one: one.kind
    ):
        of_kind = list(group)
        names = ", ".join(one.name for one in of_kind[:_NAMED])
        more = f" and {len(of_kind) - _NAMED} more" if len(of_kind) > _NAMED else ""
        by = ", ".join(sorted({one.by for one in of_kind}))
        called = "CRD" if kind == CRD else kind
        counted = f"{len(of_kind)} {called}s" if len(of_kind) > 1 else called
        kinds.append(f"{counted} {names}{more} (by {by})")
    return "; ".join(kinds)
