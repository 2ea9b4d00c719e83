"""The matrix of the page: rows are services, columns are clusters, grouped by environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from fleet.releases.cell import Cell

Column = tuple[str, str]
"""An environment and one of its clusters."""


@dataclass
class Row:
    """A service, and what it is on each cluster that has it."""

    service: str
    team: str
    repo: str
    cells: dict[Column, Cell] = field(default_factory=dict)


def columns(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """The clusters of each environment; a source stands before what is promoted from it."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        found.setdefault(cell.environment, {})[cell.cluster] = None
    return {name: list(found[name]) for name in _ordered(list(found), cells)}


def rows(cells: Iterable[Cell]) -> list[Row]:
    """The services, in the order of the cells."""
    found: dict[tuple[str, str], Row] = {}
    for cell in cells:
        row = found.setdefault((cell.repo, cell.service), Row(cell.service, cell.team, cell.repo))
        row.cells[cell.environment, cell.cluster] = cell
    return list(found.values())


def _ordered(names: list[str], cells: Sequence[Cell]) -> list[str]:
    # No service need have all environments: each tells a part of the order.
    graph: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(names, ()))
    for cell in cells:
        if cell.source in names and cell.source != cell.environment:
            graph.add(cell.environment, cell.source)
    for row in rows(cells):
        for one, other in pairwise(dict.fromkeys(environment for environment, _ in row.cells)):
            graph.add(other, one)
    try:
        return list(graph.static_order())
    except CycleError:
        return names
