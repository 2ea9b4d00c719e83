"""What stacks must not do to each other where they share a hub. Pure: their stack files' fleets in, problems out.

`up` refuses the same against the live hub; this says it before anyone runs `up`, in CI.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations

from stacks.checks import projects
from stacks.checks.vault import readable
from stacks.desired import application_sets, contract, sets, vault_identity
from stacks.desired import projects as desired
from stacks.desired.policy_paths import overlap
from stacks.model.errors import Problem
from stacks.model.fields import server_key
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

Named = tuple[str, Fleet]
"""A stack's name, and the fleet that its file describes."""


def problems(
    fleets: Mapping[str, Fleet], hubs: Mapping[str, str] | None = None
) -> dict[str, list[Problem]]:
    """What is wrong between the stacks, by the stack in whose file it is said; stacks without a problem are left out.

    The fleets are loaded ones, with each spoke's server filled in. Stacks share a hub where they name one context, or
    where `hubs` has one server for them, by the stack.
    """
    servers = {stack: server_key(address) for stack, address in (hubs or {}).items()}

    def share(one: Named, other: Named) -> bool:
        same = servers.get(one[0], one[0]) == servers.get(other[0], other[0])
        return same or one[1].hub.context == other[1].hub.context

    found: dict[str, list[Problem]] = {}
    for one, other in combinations(fleets.items(), 2):
        if share(one, other):
            found.setdefault(other[0], []).extend(_twice(one, other))
    for one, other in permutations(fleets.items(), 2):
        if share(one, other):
            found.setdefault(one[0], []).extend(
                [
                    *_elsewhere(one, other),
                    *_taking(one, other),
                    *_squatting(one, other),
                    *_reading(one, other),
                ]
            )
    return {stack: said for stack, said in found.items() if said}


def _twice(one: Named, other: Named) -> Iterator[Problem]:
    """What `other` has that `one` has already."""
    stack, fleet = one
    _, later = other
    hub = f'hub "{fleet.hub.context}"'
    if fleet.hub.context != later.hub.context:
        hub += f', which is "{later.hub.context}" here,'
    if fleet.owns_hub and later.owns_hub:
        yield Problem(
            "fleet:argocd.manifest",
            f'stack "{stack}" installs Argo CD on {hub} too, and only one stack owns a hub: take `manifest` out here '
            "or there, or check them apart if they are alternatives",
        )
    names = {spoke.name for spoke in fleet.spokes}
    servers = {server_key(spoke.server): spoke.name for spoke in fleet.spokes if spoke.server}
    for index, spoke in enumerate(later.spokes):
        if spoke.name in names:
            yield Problem(
                f"fleet:spokes[{index}].name",
                f'stack "{stack}" has a spoke "{spoke.name}" on {hub} too; names are unique on a hub',
            )
        elif twin := servers.get(server_key(spoke.server)):
            yield Problem(
                f"fleet:spokes[{index}].server",
                f'"{spoke.name}" has the server of "{twin}" in stack "{stack}" ({spoke.server}); '
                "Argo CD takes one cluster Secret per server",
            )
    taken = {one.name for one in sets.every(fleet)}
    for where, entry in sets.placed(later):
        if entry.name in taken:
            yield Problem(
                f"{where}.name",
                f'stack "{stack}" has an ApplicationSet "{entry.name}" on {hub} too; choose another name',
            )


def _elsewhere(one: Named, owner: Named) -> Iterator[Problem]:
    """Whether `one` looks for Argo CD where its hub's owner doesn't put it, or for what that one doesn't let in."""
    (mine, fleet), (stack, owning) = one, owner
    joins = owning.owns_hub and not fleet.owns_hub
    if joins and fleet.argocd.namespace != owning.argocd.namespace:
        yield Problem(
            "fleet:argocd.namespace",
            f'stack "{stack}", which owns hub "{fleet.hub.context}", installs Argo CD into namespace '
            f'"{owning.argocd.namespace}", not "{fleet.argocd.namespace}"; write that',
        )
    if not joins:
        return
    for index, entry in enumerate(fleet.application_sets):
        where, by = f"fleet:applicationSets[{index}]", sets.projects_of(fleet, mine, entry)
        if said := projects.stopped(owning, entry, by):
            yield Problem(where, said)
        into = entry.namespace or sets.suffix(entry)
        if into and not desired.is_among(into, desired.closed(owning, sets.SERVICES_PROJECT)):
            yield Problem(
                where,
                f'stack "{stack}", which owns hub "{fleet.hub.context}", lets services into "{into}", where this set '
                "deploys; add it to fleet:projects.platformNamespaces there",
            )
    yield from _teams(one, owner)
    used = {
        repo
        for name in sets.projects_needed(fleet, mine)
        if name in projects.NAMES
        for repo in desired.widened(owning, name).repos
    }
    if fleet.application_sets and fleet.gitops.repo not in {owning.gitops.repo, *used}:
        yield Problem(
            "fleet:gitops.repo",
            f'stack "{stack}", which owns hub "{fleet.hub.context}", lets Argo CD deploy from {owning.gitops.repo} '
            "only; write the same in both, or add it to the `repos` of its fleet:projects",
        )
    shut = desired.system_namespaces(owning)
    asking = {
        section.namespace: f"fleet:{key}.namespace"
        for key, section in (
            ("argoRollouts", fleet.argo_rollouts),
            ("externalSecrets", fleet.external_secrets),
        )
        if section
    }
    for namespace in desired.system_namespaces(fleet)[1:]:
        if namespace != fleet.argocd.namespace and not desired.is_among(namespace, shut):
            yield Problem(
                asking.get(namespace, "fleet:rbac.accountNamespace"),
                f'stack "{stack}", which owns hub "{fleet.hub.context}", lets services into "{namespace}"; add it to '
                "fleet:projects.systemNamespaces there",
            )


def _teams(one: Named, owner: Named) -> Iterator[Problem]:
    """Teams that aren't those of the stack which makes their AppProjects. Repos may move one stack at a time."""
    (_, fleet), (stack, owning) = one, owner
    if not fleet.application_sets:
        return
    hub = f'stack "{stack}", which owns hub "{fleet.hub.context}",'
    known = {team.name: team for team in owning.teams}
    for index, team in enumerate(fleet.teams):
        its, where = known.pop(team.name, None), f"fleet:teams[{index}]"
        if not its:
            yield Problem(where, f'{hub} has no team "{team.name}"; write it there too')
            continue
        if {*team.namespaces} != {*its.namespaces}:
            yield Problem(
                f"{where}.namespaces",
                f'{hub} has others for "{team.name}": {", ".join(its.namespaces)}; write the same in both',
            )
        repo = team.repo or fleet.gitops.repo
        if repo not in (its.repo, owning.gitops.repo):
            yield Problem(
                f"{where}.repo",
                f'{hub} lets "{team.name}" deploy from {its.repo or owning.gitops.repo} only; write the same in both, '
                "there first",
            )
    for name in known:
        yield Problem("fleet:teams", f'{hub} has a team "{name}"; write it here too')


def _taking(one: Named, other: Named) -> Iterator[Problem]:
    """The sets of `one` that would take spokes of `other`."""
    (_, fleet), (stack, theirs) = one, other
    labels = {spoke.name: contract.labels(theirs, stack, spoke) for spoke in theirs.spokes}
    for index, entry in enumerate(
        fleet.application_sets
    ):  # a team's set takes what its set of services does
        taken = [name for name, have in labels.items() if sets.takes(fleet, entry, have)]
        if taken:
            yield Problem(
                f"fleet:applicationSets[{index}].selector",
                f'"{entry.name}" would take {", ".join(taken)} of stack "{stack}" too; narrow its selector, or '
                "`fleet:environments` where it selects no environment",
            )


def _squatting(one: Named, other: Named) -> Iterator[Problem]:
    """Sets of services of `one` of which a commit could make an Application that `other` makes; the first has it."""
    (mine, fleet), (stack, theirs) = one, other
    if not theirs.spokes:
        return
    made = list(application_sets.made(theirs, stack))
    # What the set leaves out, those of teams leave out too; what teams have, only it does.
    teamless = fleet.model_copy(update={"teams": []})
    for index, entry in enumerate(fleet.application_sets):
        if entry.layout != "services":
            continue
        kept = application_sets.left_out(teamless, mine, entry)
        names = application_sets.same_applications(fleet, mine, entry, made)
        if more := sorted(name for name in names if not desired.is_among(name, kept)):
            listed = ", ".join(f"apps/{name}" for name in more)
            yield Problem(
                f"fleet:applicationSets[{index}].exclude",
                f'whoever adds {listed} to the repo takes Applications of stack "{stack}" away, whose spokes have '
                f"names that go on from this stack's; write `exclude: [{', '.join(more)}]`",
            )


def _reading(one: Named, other: Named) -> Iterator[Problem]:
    """What the spokes of `one` may read in Vault, and only the hub or another environment of `other` should."""
    (_, fleet), (stack, theirs) = one, other
    if not fleet.vault or not theirs.vault:
        return
    if server_key(fleet.vault.address) != server_key(theirs.vault.address):
        return
    for spoke in fleet.spokes:
        for _, pattern, path in readable(fleet, spoke, theirs):
            yield Problem(
                "fleet:vault.readPaths",
                f'"{spoke.name}" may read "{pattern}", and under "{path}" the hub of stack "{stack}" has what Argo CD '
                "logs in to spokes with; narrow readPaths, or give that store a mount of its own",
            )
            return
    known = _paths(theirs)
    for place, mine in _paths(fleet).items():
        for pattern, spoke in mine.items():
            if spoke.environment in pattern or spoke.name in pattern:
                continue  # Its own: if the two meet, the other one reaches too far.
            for path, its in known.get(place, {}).items():
                if spoke.environment != its.environment and overlap(pattern, path):
                    yield Problem(
                        "fleet:vault.readPaths",
                        f'"{spoke.name}" may read "{pattern}", which is also for "{its.name}" of stack "{stack}", in '
                        f'environment "{its.environment}"; begin readPaths with "{{environment}}/", or set '
                        '`namespace: "{environment}"`',
                    )
                    return


def _paths(fleet: Fleet) -> dict[tuple[str, str], dict[str, Spoke]]:
    """What the fleet's spokes may read, by Vault namespace and mount, each path with one spoke that may."""
    found: dict[tuple[str, str], dict[str, Spoke]] = {}
    for spoke in fleet.spokes:
        mine = vault_identity.of_spoke(fleet, spoke)
        for grant in mine.grants:
            paths = found.setdefault((mine.full_namespace or "", grant.mount), {})
            for path in grant.read_paths:
                paths.setdefault(path, spoke)
    return found
