"""Services that go from one AppProject to another: each must be let in where it deploys until it is handed over.

Shut out, an Application goes on running and syncs nothing any more, not even a rollback: docs/teams.md. Pure: the stack
file's fleet is held against the live hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from live.hub_state import HubState, LiveProject
from stacks.desired import projects, sets
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet

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
            if one.project == name
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


def _namespaces(fleet: Fleet) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(str(one["namespace"]) for one in spec.get("destinations") or ())
        for name, spec in projects.of_hub(fleet).items()
    }
