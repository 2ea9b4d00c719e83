"""The cells for programs. Keys are only added, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.handover import clock
from fleet.releases.cell import Cell


def to_json(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """A document for each cell, in the order of the cells; times are in UTC."""
    return [_document(cell) for cell in cells]


def _document(cell: Cell) -> dict[str, Any]:
    return {
        "service": cell.service,
        "environment": cell.environment,
        "cluster": cell.cluster,
        "team": cell.team,
        "repo": cell.repo,
        "images": list(cell.images),
        "version": cell.version,
        "commit": cell.commit,
        "at": clock(cell.at),
        "by": cell.by,
        "source": cell.source,
        "behind": cell.behind,
        "held": list(cell.held),
        "running": list(cell.running),
        "sync": cell.sync,
        "health": cell.health,
        "revision": cell.revision,
        "deviates": cell.deviates,
    }
