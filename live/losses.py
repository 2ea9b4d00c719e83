"""What a change would take from a spoke: Applications that exist on the hub now and would not be made any more.

`live.disruption` says what of it is refused. Pure: the stack file's fleet is held against the live hub. Compared are
pairs of an ApplicationSet and a spoke, as many small edits end one: a block dropped or renamed, a label or selector
changed, a set taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from live.hub_state import HubState, LiveCluster, LiveSet
from live.ownership import taken
from stacks.desired import application_sets, contract, sets
from stacks.model.auth import VaultAuth
from stacks.model.fields import server_key
from stacks.model.fleet import ApplicationSet, Fleet

_FIELDS = {
    "environment": "environment",
    "region": "region",
    "tier": "tier",
    "cluster_name": "name",
    contract.DELIVERY_LABEL: "delivery",
}
_DELETED = "would be deleted, and the workloads with them"
_Cause = tuple[str, str, str]
"""Place in the stack file, what changes there, what becomes of the Applications."""


@dataclass(frozen=True)
class Loss:
    """Why a spoke would lose Applications: the spoke, the place in the stack file, the cause, what becomes of them.

    `sets` are the ApplicationSets that make these Applications now.
    """

    spoke: str
    path: str
    cause: str
    outcome: str
    sets: tuple[str, ...]


@dataclass(frozen=True)
class _Wanted:
    """A set as it will be; `one` is None for the set that delivers External Secrets, which no stack file spells out."""

    path: str
    selector: Mapping[str, Any]
    preserve: bool
    one: ApplicationSet | None
    directories: frozenset[tuple[str, bool]] = frozenset()
    repo: str = ""
    """Where a set of services looks for them; empty for another."""


@dataclass(frozen=True)
class _Spoke:
    """A live cluster and its labels as they will be; `index` is its place in the stack file, None where it has none."""

    live: LiveCluster
    labels: Mapping[str, str]
    index: int | None


def losses(fleet: Fleet, stack: str, state: HubState) -> list[Loss]:
    """Every loss that an `up` would bring, those that the stack file allows too, by spoke and cause."""
    wanted = _wanted(fleet, stack)
    mine = [live for live in state.sets if live.owner == stack]
    blocks = {spoke.name: index for index, spoke in enumerate(fleet.spokes)}
    found: list[Loss] = []
    for cluster in sorted(state.clusters, key=lambda one: one.name):
        takers = [live for live in mine if taken(live, cluster.labels)]
        index = blocks.get(cluster.name)
        if cluster.owner != stack:
            # Not this stack's to change; but its own sets may take it, such as one that was registered by hand.
            spoke = _Spoke(cluster, cluster.labels, None)
        elif index is None:
            # As the sets will be: Pulumi changes them before it deletes a cluster Secret.
            kept = all(wanted.get(live.object_name, live).preserve for live in takers)
            names = tuple(live.object_name for live in takers)
            found.append(Loss(cluster.name, *_leaves(fleet, cluster, state, kept), names))
            continue
        else:
            labels = contract.labels(fleet, stack, fleet.spokes[index])
            spoke = _Spoke(cluster, labels, index)
            deleting = [
                live.object_name
                for live in takers
                if not (live.preserve and wanted.get(live.object_name, live).preserve)
            ]
            if (
                deleting
                and isinstance(fleet.spokes[index].auth, VaultAuth)
                and not cluster.rendered
            ):
                found.append(Loss(cluster.name, *_handed_over(spoke), tuple(deleting)))
        causes: dict[tuple[str, str, str], list[str]] = {}
        for live in takers:
            one = wanted.get(live.object_name)
            cause = _loss(spoke, live, one) if one else _gone(stack, live)
            if cause:
                causes.setdefault(cause, []).append(live.object_name)
        found += [Loss(cluster.name, *cause, tuple(names)) for cause, names in causes.items()]
    return found


def _wanted(fleet: Fleet, stack: str) -> dict[str, _Wanted]:
    found = {
        one.name: _Wanted(
            where,
            sets.selector(fleet, one),
            one.preserve,
            one,
            application_sets.patterns(fleet, stack, one),
            sets.repo(fleet, one) if one.layout == "services" else "",
        )
        for where, one in sets.placed(fleet)
    }
    if any(fleet.delivery_of(spoke) == "argocd" for spoke in fleet.spokes):
        found[sets.external_secrets_set(stack)] = _Wanted(
            "fleet:externalSecrets.delivery", sets.external_secrets_selector(stack), True, None
        )
    return found


def _leaves(fleet: Fleet, cluster: LiveCluster, state: HubState, preserve: bool) -> _Cause:
    """A spoke of this stack without a block, under this name at least."""
    there = {one.name for one in state.clusters}
    for index, spoke in enumerate(fleet.spokes):
        if server_key(spoke.server) == server_key(cluster.server) and spoke.name not in there:
            stay = f'would stay on the hub and contend with those of "{spoke.name}" for the same workloads'
            return (
                f"fleet:spokes[{index}].name",
                f'"{cluster.name}" would be renamed to "{spoke.name}", which has its server; names never change: take '
                f'"{cluster.name}" out first, Applications and all, then add "{spoke.name}"',
                stay if preserve else _DELETED,
            )
    # Argo CD lets go of the workloads of a cluster that it no longer knows, even where it deletes Applications.
    stay = "would stay on the hub, unable to sync" if preserve else "would be deleted"
    return (
        "fleet:spokes",
        f'"{cluster.name}" has no block any more: Argo CD would forget the cluster',
        f"{stay}, and nothing would manage the workloads",
    )


def _handed_over(spoke: _Spoke) -> _Cause:
    """A cluster Secret that goes from Pulumi to External Secrets, under a set that deletes what it no longer takes."""
    return (
        f"fleet:spokes[{spoke.index}].auth.kind",
        f'the cluster Secret of "{spoke.live.name}" would change hands, from Pulumi to External Secrets, and not be '
        "there for a moment",
        _DELETED,
    )


def _gone(stack: str, live: LiveSet) -> _Cause:
    """A set that is on the hub and not in the stack file."""
    path, cause = "fleet:applicationSets", f'ApplicationSet "{live.object_name}" would be gone'
    if live.object_name == sets.external_secrets_set(stack):
        path = "fleet:externalSecrets.delivery"
        cause += ": Argo CD would deliver External Secrets to no spoke any more"
    # Kubernetes collects the Applications that a set owns; what has no finalizer leaves its workloads.
    alone = "would be deleted with the set, and nothing would manage the workloads"
    return path, cause, alone if live.preserve else _DELETED


def _loss(spoke: _Spoke, live: LiveSet, wanted: _Wanted) -> _Cause | None:
    """Why the set that takes the spoke now would not make the same Applications for it; None where it would."""
    if not sets.matches(dict(wanted.selector), spoke.labels):
        left = "would stay on the hub, updated by no set" if wanted.preserve else _DELETED
        ending = f'ApplicationSet "{live.object_name}" would not take "{spoke.live.name}" any more'
        if not sets.matches(dict(wanted.selector), spoke.live.labels):
            return f"{wanted.path}.selector", ending, left
        path, change = _changed(spoke, wanted)
        return path, f"{change}: {ending}", left
    if (not live.preserve and not taken(live, spoke.labels)) or (
        not wanted.preserve and not sets.matches(dict(wanted.selector), spoke.live.labels)
    ):
        # Pulumi changes the set and the cluster Secret in any order.
        return (
            f"{wanted.path}.selector",
            f'the selector of ApplicationSet "{live.object_name}" and the labels of "{spoke.live.name}" would change '
            "in one `up`, and not match in between: widen the selector first, change the labels with the next `up`",
            _DELETED,
        )
    if wanted.one is None:
        return None
    if not (live.preserve and wanted.preserve):
        if less := _less(live, wanted):
            return (
                wanted.path,
                f'ApplicationSet "{live.object_name}" would take no {less} any more',
                _DELETED,
            )
        if wanted.repo and live.repos - {wanted.repo}:
            return (
                wanted.path,
                f'ApplicationSet "{live.object_name}" would deploy from {wanted.repo}',
                f"{_DELETED}, where they are not there; with `preserve: true` none is",
            )
    return _other_applications(spoke, live, wanted.one, wanted.path)


def _less(live: LiveSet, wanted: _Wanted) -> str:
    """The directories, as a pattern, that a set takes now and would not; empty where it would take all."""
    if wanted.one and wanted.one.layout != "services":
        return ""
    changed = {*wanted.directories} ^ {*live.directories}
    gone = [
        path
        for path, left_out in sorted(changed)
        if left_out == ((path, left_out) in wanted.directories)
    ]
    return gone[0] if gone and live.directories else ""


def _other_applications(
    spoke: _Spoke, live: LiveSet, one: ApplicationSet, path: str
) -> _Cause | None:
    """A set that still takes the spoke, but makes other Applications: other names, another environment's services."""
    name = spoke.live.name
    now = re.sub(r"\{\{\s*\.name\s*\}\}", name, live.name_template)
    then = sets.application_name(one, name)
    # A set of services has names that depend on more than the cluster.
    if now != then if then else "{{" not in now:
        beside = "would stay on the hub beside the new ones, for the same workloads"
        return (
            f"{path}.{'application' if one.layout == 'directory' else 'layout'}",
            f'ApplicationSet "{one.name}" would make other Applications for "{name}"',
            beside if one.preserve else _DELETED,
        )
    before, after = (
        labels.get(sets.ENVIRONMENT_LABEL) for labels in (spoke.live.labels, spoke.labels)
    )
    if then or before == after:
        return None
    rest = "stay as they are" if one.preserve else "be deleted, and their workloads with them"
    return (
        f"fleet:spokes[{spoke.index}].environment",
        f'environment of "{name}" would change from "{before}" to "{after}": ApplicationSet "{one.name}" would deploy '
        f"overlays/{after} there",
        f"would change at once; those of services without such an overlay would {rest}",
    )


def _changed(spoke: _Spoke, wanted: _Wanted) -> tuple[str, str]:
    """The label that keeps the set from the spoke: its place in the stack file, and the change in words."""
    expressions = wanted.selector.get("matchExpressions") or ()
    read = {*(wanted.selector.get("matchLabels") or ()), *(one["key"] for one in expressions)}
    key = min(key for key in read if spoke.live.labels.get(key) != spoke.labels.get(key))
    field = "addons" if key.startswith("enable_") else _FIELDS.get(key, f"labels.{key}")
    old, new = (
        f'"{labels[key]}"' if key in labels else "none"
        for labels in (spoke.live.labels, spoke.labels)
    )
    return (
        f"fleet:spokes[{spoke.index}].{field}",
        f'label {key} of "{spoke.live.name}" would change from {old} to {new}',
    )
