"""What a commit that moves a version says of itself: trailers, which stay in git whatever becomes of the forge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Action = Literal["promote", "rollback", "hold", "lift"]
_LINE = re.compile(r"^Fleet-(?P<key>[A-Za-z]+): (?P<value>.*)$", re.MULTILINE)
_MOVE = re.compile(r"(?P<name>\S+) (?P<before>\S+) -> (?P<after>\S+)")
_NONE = "none"


@dataclass(frozen=True)
class Move:
    """An image's version, before and after; "" where there was none before."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """That a service's versions were moved in an environment, by whom and after what.

    `source` is `<environment>@<commit>` that they come from, `restores` the commit whose versions came back, `build`
    and `tested` addresses of the runs that built and tested them, each "" where there is none.
    """

    action: Action
    service: str
    environment: str
    moves: tuple[Move, ...] = ()
    source: str = ""
    restores: str = ""
    build: str = ""
    tested: str = ""
    by: str = ""

    def trailers(self) -> str:
        """The trailers, a line each."""
        lines = [
            ("Action", self.action),
            ("Service", self.service),
            ("Environment", self.environment),
            *(("Image", f"{one.name} {one.before or _NONE} -> {one.after}") for one in self.moves),
            ("Source", self.source),
            ("Restores", self.restores),
            ("Build", self.build),
            ("Tested", self.tested),
            ("By", self.by),
        ]
        return "\n".join(f"Fleet-{key}: {one_line(value)}" for key, value in lines if value)

    def moved(self) -> dict[str, str]:
        """The new version of each image, by its name."""
        return {one.name: one.after for one in self.moves}


def read(message: str) -> list[Record]:
    """The records in a commit's message: several, where a forge has squashed commits into one."""
    blocks: list[list[tuple[str, str]]] = []
    for found in _LINE.finditer(message):
        if found["key"] == "Action":
            blocks.append([])
        if blocks:
            blocks[-1].append((found["key"], found["value"].strip()))
    return [record for block in blocks if (record := _record(block))]


def one_line(text: str) -> str:
    """Text that can't be taken for a further trailer."""
    return " ".join(text.split())


def _record(block: list[tuple[str, str]]) -> Record | None:
    known = dict(block)
    action = known.get("Action", "")
    if action not in ("promote", "rollback", "hold", "lift"):
        return None
    moves = tuple(
        Move(found["name"], "" if found["before"] == _NONE else found["before"], found["after"])
        for key, value in block
        if key == "Image" and (found := _MOVE.fullmatch(value))
    )
    return Record(
        action=action,  # type: ignore[arg-type]  # one of these four
        service=known.get("Service", ""),
        environment=known.get("Environment", ""),
        moves=moves,
        source=known.get("Source", ""),
        restores=known.get("Restores", ""),
        build=known.get("Build", ""),
        tested=known.get("Tested", ""),
        by=known.get("By", ""),
    )
