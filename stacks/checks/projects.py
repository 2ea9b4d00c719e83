"""The AppProjects: who may widen them, whether that widens anything, and whether the sets come through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stacks.desired import projects, sets
from stacks.model.errors import Problem
from stacks.model.fleet import ApplicationSet, Fleet, Project, Projects

NAMES = (sets.PROJECT, sets.SERVICES_PROJECT, sets.HUB_PROJECT)


def problems(fleet: Fleet) -> Iterator[Problem]:
    """What is wrong with `fleet:projects`."""
    if not fleet.owns_hub:
        if fleet.projects != Projects():
            yield Problem(
                "fleet:projects",
                "goes with the stack that owns the hub, which makes the AppProjects, and this one joins; move it there",
            )
        return
    for name in NAMES:
        known, kept = projects.closed(fleet, name), projects.shut(fleet, name)
        for index, namespace in enumerate(projects.widened(fleet, name).namespaces):
            where = f"fleet:projects.{name}.namespaces[{index}]"
            if not projects.is_among(namespace, known):
                yield Problem(
                    where,
                    f'"{namespace}" is open already: shut are only {", ".join(known)}; take it out',
                )
            elif by := [one for one in kept if projects.is_among(namespace, [one])]:
                yield Problem(
                    where,
                    f'"{namespace}" stays shut by "{by[0]}", which can have no exception; write, in the place of that, '
                    "the namespaces one by one",
                )
    if fleet.projects.hub != Project() and not fleet.hub_is_a_spoke:
        yield Problem(
            "fleet:projects.hub",
            "is for a hub that is a spoke too, and no spoke has `auth: {kind: inCluster}`; take it out",
        )


def of_sets(fleet: Fleet, stack: str) -> Iterator[Problem]:
    """Sets of the stack that owns the hub which its AppProjects would stop."""
    for where, one in sets.placed(fleet) if fleet.owns_hub else ():
        if said := stopped(fleet, one, sets.projects_of(fleet, stack, one)):
            yield Problem(where, said)


def stopped(owner: Fleet, one: ApplicationSet, by: Iterable[str]) -> str:
    """Why AppProjects of these names, as `owner` makes them, stop a set; empty where they let it through."""
    namespace = one.namespace or sets.suffix(one)
    if not namespace:
        return ""  # Each service has its own; which, only git knows.
    for name in by:
        if projects.is_among(namespace, projects.shut(owner, name)):
            return (
                f'deploys into the system namespace "{namespace}", which the AppProject "{name}" keeps shut; deploy '
                f"elsewhere, or add it to fleet:projects.{name}.namespaces of the stack that owns the hub"
            )
    return ""
