"""What a change would take from a spoke: Applications that exist on the hub now and would not be made any more.

Pure: the stack file's fleet is held against the live hub. Compared are pairs of an ApplicationSet and a spoke, as many
small edits end one: a block dropped or renamed, a label or selector changed, a set taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stacks import contract, sets
from stacks.errors import Problem, did_you_mean
from stacks.hub_state import HubState, LiveCluster, LiveSet
from stacks.model import ApplicationSet, Fleet
from stacks.ownership import taken

GUIDE = "docs/remove-a-cluster.md"
SHOWN = 5
"""How many Applications a message names."""
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
        causes: dict[tuple[str, str, str], list[str]] = {}
        for live in takers:
            one = wanted.get(live.object_name)
            cause = _loss(spoke, live, one) if one else _gone(stack, live)
            if cause:
                causes.setdefault(cause, []).append(live.object_name)
        found += [Loss(cluster.name, *cause, tuple(names)) for cause, names in causes.items()]
    return found


def problems(fleet: Fleet, stack: str, state: HubState) -> list[Problem]:
    """A problem per loss, except for the spokes under `fleet:allowDeletion`."""
    return [
        Problem(
            loss.path,
            f"{_told(loss, state)}. If that is what you want, write `allowDeletion: [{loss.spoke}]` for one `up`; "
            f"see {GUIDE}",
        )
        for loss in losses(fleet, stack, state)
        if loss.spoke not in fleet.allow_deletion
    ]


def notes(fleet: Fleet, stack: str, state: HubState) -> list[str]:
    """A line for each loss that `fleet:allowDeletion` allows, and for each name there that allows nothing."""
    found = losses(fleet, stack, state)
    losing = {loss.spoke for loss in found}
    known = {spoke.name for spoke in fleet.spokes} | {one.name for one in state.clusters}
    return [
        f"allowed by fleet:allowDeletion: {_told(loss, state)}"
        for loss in found
        if loss.spoke in fleet.allow_deletion
    ] + [
        f'fleet:allowDeletion: "{name}" would lose nothing; take it out, so that it allows nothing later'
        + ("" if name in known else did_you_mean(name, known))
        for name in fleet.allow_deletion
        if name not in losing
    ]


def _wanted(fleet: Fleet, stack: str) -> dict[str, _Wanted]:
    found = {
        one.name: _Wanted(
            f"fleet:applicationSets[{index}]", sets.selector(fleet, one), one.preserve, one
        )
        for index, one in enumerate(fleet.application_sets)
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
        if spoke.server == cluster.server and spoke.name not in there:
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
    return _other_applications(spoke, live, wanted.one, wanted.path)


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


def _told(loss: Loss, state: HubState) -> str:
    return f"{loss.cause}. {_subject(loss, state)} {loss.outcome}"


def _subject(loss: Loss, state: HubState) -> str:
    """The Applications at stake as the subject of a sentence."""
    names = [
        one.name
        for one in state.applications
        if one.cluster == loss.spoke and (not loss.sets or one.set in loss.sets)
    ]
    if not names:
        return "Its Applications"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    listed = ", ".join(names[:SHOWN]) + more
    return (
        f"Its Application {listed}"
        if len(names) == 1
        else f"Its {len(names)} Applications ({listed})"
    )
