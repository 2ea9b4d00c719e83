"""What is wrong with a stack file, or with a manifest that it names, said so that the reader can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.model.fleet import Fleet


@dataclass(frozen=True)
class Problem:
    """One thing wrong at one place of a stack file.

    `path` is the place as a person would say it, e.g. `fleet:spokes[1].environment`; `message` says what is
    wrong and what to write instead; `line` counts from 1 and is 0 where the place has no line of its own.
    """

    path: str
    message: str
    line: int = 0


class StackError(Exception):
    """A stack file that describes no fleet: `str()` is ready to show, one line per problem.

    `source` is the stack file as the user knows it, e.g. `stacks/Pulumi.lab.yaml`; `fleet` is what it describes all the
    same, where that much is known that other stacks can be compared with it.
    """

    def __init__(
        self, source: str, problems: Sequence[Problem], fleet: Fleet | None = None
    ) -> None:
        self.source = source
        self.fleet = fleet
        self.problems = tuple(problems)
        super().__init__("\n".join(self._line(problem) for problem in problems))

    def _line(self, problem: Problem) -> str:
        place = f"{self.source}:{problem.line}" if problem.line else self.source
        return (
            f"{place}: {problem.path}: {problem.message}"
            if problem.path
            else f"{place}: {problem.message}"
        )


class ManifestError(Exception):
    """An install manifest that can't be used; the message names it, or the key that needs more of it, and says why."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The tail of an error that names the nearest of the `known` words, or nothing when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
