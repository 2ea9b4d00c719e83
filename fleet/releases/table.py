"""`fleet services` on a terminal: a row for what is the same, by service, environment and cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleet import render
from fleet.options import counted
from fleet.releases.cell import Cell
from fleet.releases.matrix import columns, rows
from fleet.releases.plain import COMMIT_LENGTH, age, plain, tag

_COLUMNS = ("Service", "Environment", "Version", "Commit", "Sync", "Health", "Age", "By", "Behind")
_GOOD = {"Synced", "Healthy"}


def table(cells: Sequence[Cell], out: Console, *, at: datetime) -> Table:
    """One row where all clusters of an environment agree in everything shown, else one for each.

    In a pipe it has no colours, and its rows never wrap, by `out`.
    """
    made = render.table(out, *_COLUMNS)
    for row in rows(cells):
        name = plain(row.service)
        for environment, clusters in columns(list(row.cells.values())).items():
            shown = {one: _shown(row.cells[environment, one], at) for one in clusters}
            first = shown[clusters[0]]
            if len(shown) > 1 and all(one == first for one in shown.values()):
                shown = {counted(len(shown), "cluster"): first}
            for cluster, texts in shown.items():
                where = Text(f"{plain(environment)} ({plain(cluster)})")
                made.add_row(Text(name, "bold"), where, *texts)
                if out.is_terminal:  # a pipe's `grep` wants the name in each row
                    name = ""
    return made


def _shown(cell: Cell, at: datetime) -> tuple[Text, ...]:
    return (
        _version(cell),
        Text(plain(cell.commit[:COMMIT_LENGTH])),
        _status(cell.sync),
        _status(cell.health),
        Text(age(cell.at, at)),
        Text(plain(cell.by)),
        _behind(cell),
    )


def _version(cell: Cell) -> Text:
    shown = Text(plain(cell.version) or "-")
    if cell.held:
        shown.append(f" (on hold: {plain(', '.join(map(tag, cell.held)))})", "magenta")
    if cell.deviates:
        shown.append(f" runs {plain(', '.join(map(tag, cell.running)))}", "red")
    return shown


def _status(word: str) -> Text:
    return Text(plain(word) or "-", "green" if word in _GOOD else "yellow" if word else "")


def _behind(cell: Cell) -> Text:
    if not cell.source:
        return Text("-")
    count = "?" if cell.behind is None else str(cell.behind)
    return Text(f"{count} behind {plain(cell.source)}" if cell.behind != 0 else "0")
