"""Which cluster is which: the UID of its namespace kube-system, held against the one of the last `up`.

A name in a kubeconfig says nothing: two may be swapped, and a cluster made anew has the old one's name and address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from live.cluster_api import ClusterAPI, Refused, Unreachable
from stacks.desired import cluster_secret
from stacks.desired.contract import IDENTITY_ANNOTATION
from stacks.loading.kubeconfig import Kubeconfig
from stacks.loading.load import stack_file, with_lines
from stacks.model.access import ClusterAccess, Endpoint
from stacks.model.errors import Problem, StackError
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

PARALLEL = 16
_PATH = "/api/v1/namespaces/kube-system"


@dataclass(frozen=True)
class Identities:
    """The identities of a stack's clusters, as far as they are known: the hub's, and each spoke's by its name."""

    hub: str = ""
    spokes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Cluster:
    """A cluster of the stack file: where it stands there, how it is called, and what its block says of its identity."""

    where: str
    name: str
    context: str
    wanted: str | None
    recorded: str
    is_hub: bool = False


def require(
    fleet: Fleet,
    stack: str,
    hub: ClusterAccess,
    endpoints: Mapping[str, Endpoint],
    recorded: Identities,
    *,
    preview: bool,
) -> tuple[Fleet, list[str]]:
    """`fleet` with each cluster's identity filled in, and warnings.

    A cluster that doesn't answer keeps the identity that was recorded.
    Raises StackError, naming the stack file of `stack`, where a cluster is another than the one that was recorded, or
    that its block asks for; where two are one; and where one may not be asked who it is, unless in a `preview`.
    """
    clusters = [
        _Cluster("fleet:hub", "the hub", hub.context, fleet.hub.identity, recorded.hub, is_hub=True)
    ]
    access: dict[str, ClusterAccess] = {clusters[0].where: hub}
    for index, spoke in enumerate(fleet.spokes):
        there = endpoints[spoke.name].access
        if there and _asked(fleet, spoke):
            where = f"fleet:spokes[{index}]"
            known = recorded.spokes.get(spoke.name, "")
            clusters.append(
                _Cluster(where, f'"{spoke.name}"', there.context, spoke.identity, known)
            )
            access[where] = there
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        asked = {where: pool.submit(read, one) for where, one in access.items()}
    found: dict[str, str] = {}
    refused: list[Problem] = []
    for one in clusters:
        try:
            found[one.where] = asked[one.where].result()
        except Refused as error:
            said = f"{one.name} doesn't say which cluster it is: {error}"
            refused.append(
                Problem(one.where, f"{said}; its user needs to `get` the namespace kube-system")
            )
        except Unreachable:
            continue
    problems = [*_changed(clusters, found), *_twice(clusters, found)]
    if problems or (refused and not preview):
        source = f"stacks/Pulumi.{stack}.yaml"
        raise StackError(source, with_lines([*problems, *refused], stack_file(stack)))
    warnings = [f"{one.path}: {one.message}" for one in refused]
    return _filled(fleet, recorded, found), [*warnings, *_let_in(clusters, found)]


def read(access: ClusterAccess) -> str:
    """The identity of the cluster that `access` leads to. Raises Unreachable, Refused where it may not be asked."""
    return uid(ClusterAPI(Kubeconfig.of(access.kubeconfig), access.context))


def uid(api: ClusterAPI) -> str:
    """The identity of the cluster behind `api`. Raises Unreachable, Refused where it may not be asked."""
    found: Any = api.json(_PATH)
    return str((found.get("metadata") or {}).get("uid") or "")


class AnotherCluster(Exception):
    """A context leads to another cluster than it should; the message names both."""


def check(fleet: Fleet, spoke: Spoke, hub: ClusterAPI, there: ClusterAPI) -> None:
    """Make sure that `there` is the spoke, where its block or its cluster Secret on the `hub` says which cluster it is.

    Raises AnotherCluster, and Unreachable where the spoke doesn't answer.
    """
    wanted = spoke.identity or _on_the_hub(fleet, spoke, hub)
    live = uid(there)
    if wanted and live and live != wanted:
        raise AnotherCluster(
            f'"{spoke.name}" is the cluster {wanted}, and its context leads to {live}; mend the kubeconfig. Only if '
            f"the cluster was made anew: write `identity: {live}` into its block"
        )


def _on_the_hub(fleet: Fleet, spoke: Spoke, hub: ClusterAPI) -> str:
    path = f"/api/v1/namespaces/{fleet.argocd.namespace}/secrets/{cluster_secret.name(spoke)}"
    try:
        found = (hub.json(path).get("metadata") or {}).get("annotations") or {}
    except Unreachable:
        return ""  # Not registered yet, or not for this user to read.
    return str(found.get(IDENTITY_ANNOTATION) or "")


def of(fleet: Fleet) -> Identities:
    """The identities that `require` has filled in."""
    spokes = {spoke.name: spoke.identity for spoke in fleet.spokes if spoke.identity}
    return Identities(fleet.hub.identity or "", spokes)


def _asked(fleet: Fleet, spoke: Spoke) -> bool:
    """Whether Pulumi makes anything on the spoke itself; one in quarantine is left alone."""
    talks = spoke.has_identity or (
        fleet.external_secrets is not None and fleet.delivery_of(spoke) == "pulumi"
    )
    return talks and not spoke.quarantine and not spoke.in_cluster


def _changed(clusters: list[_Cluster], found: Mapping[str, str]) -> Iterator[Problem]:
    owners = {one.recorded: one for one in clusters if one.recorded}
    for one in clusters:
        live = found.get(one.where)
        wanted = one.wanted or one.recorded
        if not live or not wanted or live == wanted:
            continue
        owner = owners.get(live)
        known = f", which is that of {owner.name}" if owner and owner is not one else ""
        if one.wanted:
            yield Problem(
                f"{one.where}.identity",
                f'{one.name} is to be the cluster {wanted}, and context "{one.context}" leads to {live}{known}; mend '
                "the kubeconfig, or the identity",
            )
        else:
            yield Problem(
                one.where,
                f'{one.name} is another cluster than before: context "{one.context}" leads to {live}{known}, and it '
                f"was {wanted}. Are contexts or servers of the kubeconfig mixed up? Then mend that. Only if the "
                f"cluster was made anew: write `identity: {live}` here, and go on as docs/recover.md has it",
            )


def _let_in(clusters: list[_Cluster], found: Mapping[str, str]) -> Iterator[str]:
    for one in clusters:
        if one.wanted and one.recorded and found.get(one.where) == one.wanted != one.recorded:
            yield (
                f"{one.where}.identity: {one.name} is let in as a cluster made anew. Only with `--refresh "
                "--run-program` does Pulumi notice that nothing of the old one is there "
                "(docs/recover.md#a-cluster-was-made-anew)"
            )


def _twice(clusters: list[_Cluster], found: Mapping[str, str]) -> Iterator[Problem]:
    seen: dict[str, _Cluster] = {}
    for one in clusters:
        live = found.get(one.where)
        first = seen.setdefault(live, one) if live else one
        if first is one:
            continue
        fix = (
            "if the hub is to be a spoke, write `auth: {kind: inCluster}`"
            if first.is_hub
            else "take one out, or name its own context"
        )
        yield Problem(
            one.where,
            f'{one.name} and {first.name} are one cluster, {live}, by contexts "{one.context}" and "{first.context}"; '
            f"{fix}",
        )


def _filled(fleet: Fleet, recorded: Identities, found: Mapping[str, str]) -> Fleet:
    hub = found.get("fleet:hub") or recorded.hub or fleet.hub.identity
    spokes = []
    for index, spoke in enumerate(fleet.spokes):
        live = found.get(f"fleet:spokes[{index}]") or (hub if spoke.in_cluster else "")
        known = live or recorded.spokes.get(spoke.name) or spoke.identity
        spokes.append(spoke.model_copy(update={"identity": known or None}))
    filled = {"hub": fleet.hub.model_copy(update={"identity": hub or None}), "spokes": spokes}
    return fleet.model_copy(update=filled)
