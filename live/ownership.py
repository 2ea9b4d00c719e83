"""Whose the objects on a shared hub are: a stack that would touch another's is refused before it does anything.

Pure: the stack file's fleet is held against the live hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from live.hub_state import HubState, LiveCluster, LiveSet, Owned
from stacks.desired import contract, projects, sets
from stacks.model.auth import VaultAuth
from stacks.model.errors import Problem
from stacks.model.fields import server_key
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

T = TypeVar("T", bound=Owned)


def claimed(fleet: Fleet, stack: str, state: HubState) -> HubState:
    """`state` with the objects that this stack made before objects had the stack's label counted as its own.

    Then one stack owned the hub and all that is on it. So only a stack that owns the hub has such objects: written by
    Pulumi, without the label; cluster Secrets of the form that Fleet gives them, sets and AppProjects of names that the
    stack file has. A set of another name may be another Pulumi program's.
    """
    if not fleet.owns_hub or state.owner not in ("", stack):
        return state
    names = {one.name for one in sets.every(fleet)}

    def claim(one: T, ours: bool) -> T:
        return replace(one, owner=stack) if ours and one.by_pulumi and not one.owner else one

    return replace(
        state,
        clusters=tuple(claim(one, _of_fleet(one)) for one in state.clusters),
        sets=tuple(claim(one, one.object_name in names) for one in state.sets),
        projects=tuple(claim(one, one.object_name == sets.PROJECT) for one in state.projects),
    )


def problems(fleet: Fleet, stack: str, state: HubState) -> list[Problem]:
    """Everything on the hub that this stack would take from another, or from somebody's hands."""
    found = list(_hub(fleet, stack, state))
    if state.owner is None:
        return found
    return [
        *found,
        *_clusters(fleet, stack, state),
        *_same_names(fleet, stack, state),
        *_crossings(fleet, stack, state),
    ]


def taken(live: LiveSet, labels: Mapping[str, str]) -> bool:
    """Whether a set on the hub takes a cluster Secret with these labels."""

    def takes(selector: Mapping[str, Any]) -> bool:
        try:
            return sets.matches(dict(selector), labels)
        except ValueError:
            return False  # Argo CD takes nothing by such a selector either.

    return any(takes(selector) for selector in live.selectors)


def _of_fleet(one: LiveCluster) -> bool:
    return (
        one.object_name == f"cluster-{one.name}"
        and one.labels.get("cluster_name") == one.name
        and "enable_external_secrets" in one.labels
    )


def _hub(fleet: Fleet, stack: str, state: HubState) -> Iterator[Problem]:
    mine = [name for name, owner in state.namespaces.items() if owner == stack]
    if not fleet.owns_hub and mine:
        yield Problem(
            "fleet:argocd.manifest",
            f'is gone, but this stack installed Argo CD in namespace "{mine[0]}": `up` would delete Argo CD with every '
            "ApplicationSet and Application, those of other stacks too; put `manifest` back",
        )
    elif not fleet.owns_hub and (state.owner is None or not state.installed):
        yield Problem(
            "fleet:argocd",
            f'no Argo CD in namespace "{state.namespace}" of the hub ({fleet.hub.context}): run the stack that owns '
            "the hub first, or give `manifest` if this one shall",
        )
    elif fleet.owns_hub and state.owner not in (None, "", stack):
        yield Problem(
            "fleet:argocd.manifest",
            f'Argo CD in namespace "{state.namespace}" belongs to stack "{state.owner}"; take `manifest` out, and this '
            "stack joins it",
        )
    elif fleet.owns_hub and (elsewhere := [name for name in mine if name != state.namespace]):
        yield Problem(
            "fleet:argocd.namespace",
            f'this stack has Argo CD in namespace "{elsewhere[0]}": in "{state.namespace}" it would be a new one, and '
            f"the old one deleted with every ApplicationSet and Application; write `namespace: {elsewhere[0]}`",
        )


def _clusters(fleet: Fleet, stack: str, state: HubState) -> Iterator[Problem]:
    for index, spoke in enumerate(fleet.spokes):
        where = f"fleet:spokes[{index}]"
        for live in state.clusters:
            if live.owner == stack:
                if (
                    live.name == spoke.name
                    and live.rendered
                    and not isinstance(spoke.auth, VaultAuth)
                ):
                    yield _held(fleet, state, live, f"{where}.auth.kind")
                if live.name == spoke.name and _another(spoke, live):
                    yield Problem(
                        where,
                        f'"{spoke.name}" is another cluster than the hub knows: context "{spoke.context}" leads to '
                        f"{spoke.identity}, and its cluster Secret says {live.identity}. Is the kubeconfig mixed up? "
                        f"Then mend that. Only if the cluster was made anew: write `identity: {spoke.identity}` here, "
                        "and go on as docs/recover.md has it",
                    )
                continue
            if spoke.name == live.name or live.object_name == f"cluster-{spoke.name}":
                yield Problem(
                    f"{where}.name",
                    f'the hub has a cluster "{spoke.name}" already, which {_belongs(live)}; '
                    + _remedy(fleet, stack, state, live, "secret", "spoke"),
                )
            elif spoke.identity and spoke.identity == live.identity:
                yield Problem(
                    where,
                    f'"{spoke.name}" is the very cluster ({live.identity}) that the hub has as "{live.name}", which '
                    f"{_belongs(live)}: both stacks would deploy to it; name another context, or take "
                    f'"{live.name}" out of the hub first',
                )
            elif server_key(spoke.server) == server_key(live.server):
                # Two cluster Secrets with one server clobber each other in Argo CD.
                yield Problem(
                    f"{where}.server",
                    f'"{spoke.name}" has the server of "{live.name}" ({spoke.server}), which {_belongs(live)}; Argo CD '
                    "takes one cluster Secret per server: give it a context or `server:` of its own, or take "
                    f'"{live.name}" out of the hub first',
                )


def _another(spoke: Spoke, live: LiveCluster) -> bool:
    """Whether the spoke is not the cluster that the hub has by its name: what tells where Pulumi's state was lost."""
    known = spoke.identity and live.identity and not spoke.identity_is_written
    return bool(known and spoke.identity != live.identity)


def _held(fleet: Fleet, state: HubState, live: LiveCluster, where: str) -> Problem:
    """A cluster Secret that Kubernetes deletes with its ExternalSecret, after Pulumi had made it its own."""
    kubectl = f"kubectl --context {fleet.hub.context} -n {state.namespace}"
    return Problem(
        where,
        f'External Secrets owns the cluster Secret of "{live.name}": when its ExternalSecret goes, the cluster Secret '
        f"goes too, and Argo CD forgets the cluster. First `{kubectl} delete externalsecret {live.object_name} "
        "--cascade=orphan`, which leaves it, then one `up` with PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true",
    )


def _same_names(fleet: Fleet, stack: str, state: HubState) -> Iterator[Problem]:
    wanted_sets = {one.name: f"{where}.name" for where, one in sets.placed(fleet)}
    wanted_projects = (
        dict.fromkeys(projects.of_hub(fleet), "fleet:argocd.manifest") if fleet.owns_hub else {}
    )
    if any(fleet.delivery_of(spoke) == "argocd" for spoke in fleet.spokes):
        delivering = {sets.external_secrets_set(stack): "fleet:externalSecrets.delivery"}
        wanted_sets |= delivering
        wanted_projects |= delivering
    kinds: tuple[tuple[str, str, Mapping[str, str], Sequence[Owned]], ...] = (
        ("an ApplicationSet", "applicationset", wanted_sets, state.sets),
        ("an AppProject", "appproject", wanted_projects, state.projects),
    )
    # The names of the others are Fleet's.
    named = {one.name for one in sets.every(fleet)}
    for said, kind, wanted, live in kinds:
        for one in live:
            if one.object_name in wanted and one.owner != stack:
                thing = "set" if kind == "applicationset" and one.object_name in named else ""
                yield Problem(
                    wanted[one.object_name],
                    f'the hub has {said} "{one.object_name}" already, which {_belongs(one)}; '
                    + _remedy(fleet, stack, state, one, kind, thing),
                )


def _crossings(fleet: Fleet, stack: str, state: HubState) -> Iterator[Problem]:
    """Sets of one stack that would take another stack's spokes: two stacks would then deploy to one cluster."""
    for index, one in enumerate(
        fleet.application_sets
    ):  # a team's set takes what its set of services does
        theirs = [
            f'"{live.name}" of stack "{live.owner}"'
            for live in state.clusters
            if live.owner not in ("", stack) and sets.takes(fleet, one, live.labels)
        ]
        if theirs:
            yield Problem(
                f"fleet:applicationSets[{index}].selector",
                f'ApplicationSet "{one.name}" would take {", ".join(theirs)}; narrow it, e.g. by `environment`',
            )
    for index, spoke in enumerate(fleet.spokes):
        labels = contract.labels(fleet, stack, spoke)
        for live in state.sets:
            if live.owner not in ("", stack) and taken(live, labels):
                yield Problem(
                    f"fleet:spokes[{index}]",
                    f'ApplicationSet "{live.object_name}" of stack "{live.owner}" would take "{spoke.name}"; narrow '
                    "that set first, or change what it selects on",
                )


def _belongs(one: Owned) -> str:
    return f'belongs to stack "{one.owner}"' if one.owner else "belongs to no stack"


def _remedy(fleet: Fleet, stack: str, state: HubState, one: Owned, kind: str, thing: str) -> str:
    """What to do about it; `thing` is what it is called in the stack file, "" where its name isn't given there."""
    label = (
        f"`kubectl --context {fleet.hub.context} -n {state.namespace} label {kind} {one.object_name} "
        f"{contract.STACK_LABEL}={stack}"
    )
    rename = f"give this {thing} another name, or " if thing else ""
    if one.owner:
        return (
            f"{rename}take it out there first. Only if that stack is this one under its former name: {label} "
            "--overwrite`"
        )
    return (
        f"{rename}let this stack take it over: {label}`, then one `up` with "
        "PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true"
    )
