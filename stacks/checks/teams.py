"""The teams: who has which namespaces, and whether what their sets make can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from stacks.checks.repeats import repeated, repeats
from stacks.desired import projects, sets
from stacks.desired.policy_paths import overlap
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet, Team


def problems(fleet: Fleet) -> Iterator[Problem]:
    """What is wrong with `fleet:teams`."""
    for index, first, team in repeats(fleet.teams, lambda team: team.name):
        yield Problem(
            f"fleet:teams[{index}].name",
            f'"{team.name}" is the name of fleet:teams[{first}] already; put the two together, or rename one',
        )
    for index, team in enumerate(fleet.teams):
        where = f"fleet:teams[{index}]"
        yield from repeated(f"{where}.namespaces", team.namespaces)
        if team.name.endswith(f"-{sets.HUB_PROJECT}"):
            yield Problem(
                f"{where}.name",
                f'"{team.name}" may not end in "-{sets.HUB_PROJECT}", as the AppProjects for the hub itself do',
            )
        yield from _system(where, fleet, team)
    yield from _claimed_twice(fleet)
    yield from _one_application(fleet)
    yield from _set_names(fleet)


def _system(where: str, fleet: Fleet, team: Team) -> Iterator[Problem]:
    """Namespaces that are no team's, whatever the stack file says of it."""
    kept = [*projects.system_namespaces(fleet), *projects.platform_namespaces(fleet)]
    for position, namespace in enumerate(team.namespaces):
        if by := next((one for one in kept if overlap(namespace, one)), ""):
            yield Problem(
                f"{where}.namespaces[{position}]",
                f'"{namespace}" takes in "{by}", which is the platform\'s or the system\'s; name the namespaces of the '
                "team's services",
            )


def _claimed_twice(fleet: Fleet) -> Iterator[Problem]:
    for (first, one), (second, other) in combinations(enumerate(fleet.teams), 2):
        for position, namespace in enumerate(other.namespaces):
            if its := next((mine for mine in one.namespaces if overlap(mine, namespace)), ""):
                same = f'"{namespace}"' if its == namespace else f'"{namespace}", as "{its}",'
                yield Problem(
                    f"fleet:teams[{second}].namespaces[{position}]",
                    f'team "{one.name}" has {same} already (fleet:teams[{first}]); a service belongs to one team',
                )


def _one_application(fleet: Fleet) -> Iterator[Problem]:
    """`eu-shop` on `prod` and `shop` on `prod-eu` are one Application: whoever comes first would have it."""
    names = sorted({spoke.name for spoke in fleet.spokes})
    rests = {
        (short, long): long.removeprefix(f"{short}-")
        for short in names
        for long in names
        if long.startswith(f"{short}-")
    }
    for index, team in enumerate(fleet.teams):
        for position, namespace in enumerate(team.namespaces):
            for other in fleet.teams:
                for (short, long), rest in rests.items():
                    clash = next(
                        (one for one in other.namespaces if overlap(namespace, f"{rest}-{one}")),
                        "",
                    )
                    if clash and other is not team:
                        yield Problem(
                            f"fleet:teams[{index}].namespaces[{position}]",
                            f'"{namespace}" on "{short}" and "{clash}" of team "{other.name}" on "{long}" may be one '
                            "Application; rename the service, or name the namespaces one by one",
                        )
                        break


def _set_names(fleet: Fleet) -> Iterator[Problem]:
    taken = {one.name: index for index, one in enumerate(fleet.application_sets)}
    known: dict[str, str] = {}
    for where, one in sets.placed(fleet):
        if not isinstance(one, sets.TeamSet):
            continue
        if one.name in taken:
            yield Problem(
                f"fleet:applicationSets[{taken[one.name]}].name",
                f'"{one.name}" is the set that team "{one.team.name}" has of a set of services; choose another name',
            )
        elif known.setdefault(one.name, where) != where:
            yield Problem(
                f"{where}.name",
                f'makes an ApplicationSet "{one.name}", as {known[one.name]} does of another set of services; rename '
                "the team, or the set",
            )
