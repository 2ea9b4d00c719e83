"""What is to be seen of a cell at one look: its marks, worst first, each with a sign and a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleet.releases.cell import Cell
from fleet.releases.plain import tag


@dataclass(frozen=True)
class Kind:
    """A kind of mark, as the legend has it."""

    key: str
    """Its name in the style sheet."""
    sign: str
    word: str
    means: str


KINDS: Mapping[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind("degraded", "✖", "degraded", "its workload isn't well"),
        Kind("missing", "∅", "missing", "git has it, the cluster doesn't"),
        Kind("outofsync", "≠", "out of sync", "the cluster isn't as git says"),
        Kind("deviates", "!", "runs another", "another image runs than git says"),
        Kind("progressing", "…", "progressing", "being rolled out"),
        Kind("suspended", "‖", "suspended", "its rollout waits"),
        Kind("unknown", "?", "unknown", "Argo CD can't tell"),
        Kind("held", "■", "on hold", "no promotion since a rollback"),
        Kind("differs", "↔", "differs", "not what most clusters of its environment have"),
        Kind("behind", "↓", "behind", "not yet what the environment before it has"),
    )
}
"""All kinds, worst first."""
_STATUSES = {
    "Degraded": "degraded",
    "Missing": "missing",
    "OutOfSync": "outofsync",
    "Progressing": "progressing",
    "Suspended": "suspended",
}
_GOOD = {"", "Synced", "Healthy"}

Group = tuple[str, str, str]


@dataclass(frozen=True)
class Mark:
    """One mark of a cell: its kind, and what stands there."""

    kind: Kind
    word: str


class Marker:
    """Marks cells; knows the others of a service, which one of them alone doesn't tell of."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._versions: dict[Group, Counter[str]] = {}
        for cell in cells:
            self._versions.setdefault(_group(cell), Counter())[cell.version] += 1

    def marks(self, cell: Cell) -> list[Mark]:
        """The marks of a cell, worst first."""
        words = dict(self._found(cell))
        return [Mark(kind, words[key] or kind.word) for key, kind in KINDS.items() if key in words]

    def _found(self, cell: Cell) -> Iterator[tuple[str, str]]:
        for status in (cell.sync, cell.health):
            if status not in _GOOD:
                yield _STATUSES.get(status, "unknown"), ""
        if cell.deviates:
            others = dict.fromkeys(tag(image) for image in cell.running if image not in cell.images)
            yield "deviates", f"runs {', '.join(others)}" if others else ""
        if cell.held:
            yield "held", ""
        if self._differs(cell):
            yield "differs", ""
        if cell.behind:
            yield "behind", f"{cell.behind} behind {cell.source}"
        elif cell.behind is None and self._not_as_its_source(cell):
            yield "behind", f"not as {cell.source}"

    def _differs(self, cell: Cell) -> bool:
        """Where as many clusters have the one as the other, all differ."""
        (most, count), *others = self._versions[_group(cell)].most_common(2)
        return bool(others) and (cell.version != most or others[0][1] == count)

    def _not_as_its_source(self, cell: Cell) -> bool:
        before = self._versions.get((cell.repo, cell.service, cell.source))
        return before is not None and cell.version not in before


def _group(cell: Cell) -> Group:
    return cell.repo, cell.service, cell.environment
