"""How it went with one service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gitops.releases.trailers import Move

Done = Literal["pushed", "opened", "updated", "open", "nothing", "refused"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was done, or that nothing had to be, or why not; `url` of the pull request, `commit` of what was pushed."""

    service: str
    environment: str
    done: Done
    message: str
    moves: tuple[Move, ...] = ()
    url: str = ""
    commit: str = ""
    warnings: tuple[str, ...] = field(default=())

    @property
    def good(self) -> bool:
        """Whether that is what was asked for."""
        return self.done != "refused"
