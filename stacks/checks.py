"""What no single field can tell: checks across the spokes and sections of a fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from stacks import contract
from stacks.errors import Problem, did_you_mean
from stacks.model import Fleet

T = TypeVar("T")


def problems(fleet: Fleet) -> list[Problem]:
    """Everything wrong across the fleet, in the order of the stack file."""
    return [
        problem
        for check in (_environments, _names, _servers, _reserved, _isolation, _sets)
        for problem in check(fleet)
    ]


def _environments(fleet: Fleet) -> Iterator[Problem]:
    for index, spoke in enumerate(fleet.spokes):
        if spoke.environment not in fleet.environments:
            yield Problem(
                f"fleet:spokes[{index}].environment",
                f'unknown environment "{spoke.environment}"; fleet:environments has '
                f"{', '.join(fleet.environments)}{did_you_mean(spoke.environment, fleet.environments)}",
            )


def _names(fleet: Fleet) -> Iterator[Problem]:
    for index, first, spoke in _repeats(fleet.spokes, lambda spoke: spoke.name):
        yield Problem(
            f"fleet:spokes[{index}].name",
            f'"{spoke.name}" is the name of fleet:spokes[{first}] already; names are unique and immutable',
        )


def _servers(fleet: Fleet) -> Iterator[Problem]:
    # Two cluster Secrets with one server clobber each other in Argo CD.
    for index, first, spoke in _repeats(fleet.spokes, lambda spoke: spoke.server):
        if spoke.name != fleet.spokes[first].name:
            yield Problem(
                f"fleet:spokes[{index}].server",
                f'"{spoke.name}" has the server of "{fleet.spokes[first].name}" ({spoke.server}); Argo CD takes one '
                "cluster Secret per server: give it a context or `server:` of its own",
            )


def _reserved(fleet: Fleet) -> Iterator[Problem]:
    for index, spoke in enumerate(fleet.spokes):
        bare = spoke.model_copy(update={"labels": {}, "annotations": {}})
        kinds = (
            ("labels", spoke.labels, contract.labels(bare)),
            ("annotations", spoke.annotations, contract.annotations(fleet, bare)),
        )
        for kind, given, ours in kinds:
            for name in given.keys() & ours.keys():
                yield Problem(
                    f"fleet:spokes[{index}].{kind}.{name}", "is set by Fleet; choose another name"
                )


def _isolation(fleet: Fleet) -> Iterator[Problem]:
    """Spokes of two environments must not read each other's secrets."""
    if len({spoke.environment for spoke in fleet.spokes}) < 2:
        return

    def apart(template: str) -> bool:
        return "{environment}" in template or "{cluster}" in template

    if apart(fleet.vault.namespace or ""):
        return
    for index, path in enumerate(fleet.vault.read_paths):
        if not apart(path):
            yield Problem(
                f"fleet:vault.readPaths[{index}]",
                f'"{path}" lets every environment read the same secrets; begin it with "{{environment}}/", '
                'or set `namespace: "{environment}"`',
            )


def _sets(fleet: Fleet) -> Iterator[Problem]:
    for index, first, one in _repeats(fleet.application_sets, lambda one: one.name):
        yield Problem(
            f"fleet:applicationSets[{index}].name",
            f'"{one.name}" is the name of fleet:applicationSets[{first}] already',
        )


def _repeats(items: Iterable[T], key: Callable[[T], str]) -> Iterator[tuple[int, int, T]]:
    """Each item whose (non-empty) key an earlier one has: its index, the earlier one's, and the item."""
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        if (value := key(item)) and seen.setdefault(value, index) != index:
            yield index, seen[value], item
