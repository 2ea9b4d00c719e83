"""The matrix as one HTML page, which asks for nothing: it can be mailed, kept, or served by anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fleet.options import counted
from fleet.releases.cell import Cell
from fleet.releases.marks import KINDS, Mark, Marker
from fleet.releases.matrix import Column, Row, columns, rows
from fleet.releases.plain import COMMIT_LENGTH, age, plain


@dataclass(frozen=True)
class _Shown:
    """A cell as the page has it."""

    cell: Cell
    marks: list[Mark]
    age: str


@dataclass(frozen=True)
class _Line:
    """A row as the page has it; None where the service isn't on a cluster."""

    row: Row
    cells: list[_Shown | None]
    kinds: set[str]


def page(cells: Sequence[Cell], *, title: str, asked_hub: bool, at: datetime) -> str:
    """The page of these cells, as they were `at` this time."""
    found = columns(cells)
    order = [(environment, cluster) for environment in found for cluster in found[environment]]
    marker = Marker(cells)
    lines = [_line(row, order, marker, at) for row in rows(cells)]
    shown = [one for line in lines for one in line.cells if one]
    return (
        _environment()
        .get_template("services.html.j2")
        .render(
            title=title,
            asked_hub=asked_hub,
            at=at,
            columns=found,
            borders={order.index((name, found[name][0])) for name in found} - {0},
            order=order,
            lines=lines,
            kinds=KINDS.values(),
            keys=list(KINDS),
            counts=Counter(mark.kind.key for one in shown for mark in one.marks),
        )
    )


def _line(row: Row, order: Sequence[Column], marker: Marker, at: datetime) -> _Line:
    found = [row.cells.get(column) for column in order]
    cells = [_Shown(one, marker.marks(one), age(one.at, at)) if one else None for one in found]
    return _Line(row, cells, {mark.kind.key for one in cells if one for mark in one.marks})


def _isolated(text: str) -> Markup:
    """A text from git, which can't change how what stands around it is read."""
    safe = escape(plain(text))
    # Latin letters have nothing to isolate, and a page has a hundred thousand such texts.
    return safe if text.isascii() else Markup("<bdi>{}</bdi>").format(safe)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("fleet.releases", "files"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        isolated=_isolated, plain=plain, moment=_moment, counted=counted, short=_short
    )
    return made


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _short(commit: str) -> str:
    return plain(commit[:COMMIT_LENGTH])
