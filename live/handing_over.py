"""Services that go from one AppProject to another: each must be let in where it deploys until it is handed over.

Shut out, an Application goes on running and syncs nothing any more, not even a rollback: docs/teams.md. Pure: the stack
file's fleet is held against the live hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from live.applications import Application
from live.hub_state import HubState, LiveProject, LiveSet
from stacks.desired import application_sets, contract, projects, sets
from stacks.model.errors import Problem
from stacks.model.fleet import ApplicationSet, Fleet

GUIDE = "docs/teams.md"
_SHOWN = 5


def changing(fleet: Fleet, stack: str, state: HubState) -> list[LiveProject]:
    """The AppProjects on the hub by which services may lose a namespace to a team, or a team one of its own."""
    wanted = _namespaces(fleet)
    return [
        one
        for one in state.projects
        if fleet.owns_hub
        and one.owner == stack
        and (
            one.object_name == sets.SERVICES_PROJECT
            or one.object_name.startswith(sets.TEAM_PROJECT)
        )
        and {*one.namespaces} != {*wanted.get(one.object_name, ())}
    ]


def problems(fleet: Fleet, stack: str, state: HubState) -> Iterator[Problem]:
    """The Applications that would be shut out; those of `state` are looked at, whatever cluster they are on."""
    wanted = _namespaces(fleet)
    of_teams = [one for team in fleet.teams for one in team.namespaces]
    for project in changing(fleet, stack, state):
        name, then = project.object_name, wanted.get(project.object_name, ())
        services = name == sets.SERVICES_PROJECT
        out = [
            one
            for one in state.applications
            # One that no set has is being handed over: the next gives it its project.
            if one.project == name
            and one.set
            and projects.lets_into(project.namespaces, one.namespace)
            and not projects.lets_into(then, one.namespace)
            # What is shut to services for another reason is shut to be.
            and (not services or projects.is_among(one.namespace, of_teams))
        ]
        if not out:
            continue
        more = f" and {len(out) - _SHOWN} more" if len(out) > _SHOWN else ""
        listed = ", ".join(one.name for one in out[:_SHOWN]) + more
        there = ", ".join(sorted({one.namespace for one in out}))
        todo = (
            f"write `fleet:projects.services.namespaces: [{there}]` until they are handed over to the team"
            if services
            else "give the services to another team, or to none, in two steps"
        )
        yield Problem(
            "fleet:teams",
            f'AppProject "{name}" would be shut to {there}, where {listed} '
            f"{'deploys' if len(out) == 1 else 'deploy'} by it, and would sync nothing any more; {todo}: {GUIDE}",
        )


@dataclass(frozen=True)
class Move:
    """An Application that goes from the ApplicationSet which owns it to the one that the stack file has for it."""

    application: Application
    to: str


@dataclass(frozen=True)
class Handover:
    """What is to be handed over: the moves, why that can't be done yet, and the sets that give way to it.

    Those are in the stack file no more; where they went with their Applications, nothing would manage these.
    """

    moves: tuple[Move, ...]
    wrong: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()


def handover(
    fleet: Fleet, stack: str, state: HubState, applications: Mapping[str, Application]
) -> Handover:
    """The Applications to hand over.

    A set would take back at once what it still makes: `up` comes first. One that no set has is on its way.
    """
    services = [one for one in sets.every(fleet) if one.layout == "services"]
    named = {one.name: one for one in services}
    live = {one.object_name: one for one in state.sets if one.owner == stack}
    spokes = {spoke.name: contract.labels(fleet, stack, spoke) for spoke in fleet.spokes}
    found, wrong, leaving = [], [], []
    for one in applications.values():
        if one.cluster not in spokes or (one.set and not _of_services(live.get(one.set))):
            continue
        service = one.name.removeprefix(f"{one.cluster}-")
        to = _set_of(services, fleet, spokes[one.cluster], service)
        if to and to.name != one.set:
            found.append(Move(one, to.name))
    for name in sorted({name for one in found for name in (one.application.set, one.to) if name}):
        wanted = named.get(name)
        if name in live and not wanted:
            leaving.append(name)
        elif name not in live:
            wrong.append(f'the hub has no ApplicationSet "{name}" of this stack yet')
        elif wanted and live[name].directories != application_sets.patterns(fleet, stack, wanted):
            wrong.append(f'ApplicationSet "{name}" on the hub is not yet as the stack file has it')
    if leaving:
        # Theirs come first, and need no `up` before; with the next `up` the others take them.
        found = [one for one in found if one.application.set in leaving]
        wrong = []
    found.sort(key=lambda move: move.application.name)
    return Handover(tuple(found), tuple(wrong), tuple(leaving))


def _of_services(live: LiveSet | None) -> bool:
    return live is not None and any(not left_out for _, left_out in live.directories)


def _set_of(
    services: list[ApplicationSet], fleet: Fleet, labels: Mapping[str, str], service: str
) -> ApplicationSet | None:
    taking = [one for one in services if sets.takes(fleet, one, labels)]
    its = [one for one in taking if isinstance(one, sets.TeamSet) and one.has(service)]
    others = [one for one in taking if not isinstance(one, sets.TeamSet)]
    return next(iter([*its, *others]), None)


def _namespaces(fleet: Fleet) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(str(one["namespace"]) for one in spec.get("destinations") or ())
        for name, spec in projects.of_hub(fleet).items()
    }
