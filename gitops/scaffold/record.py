"""What Fleet wrote into a repo: by it a later run tells its own lines from a person's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATH = ".fleet/scaffold"
BASES = ".fleet/base"
"""What Fleet would have in the files where it and people have both written, by path: git has that nowhere else."""
_HEAD = "# What `fleet scaffold` wrote here, as git names such content. Leave it to that.\n"
ATTRIBUTES = ".fleet/.gitattributes"
# Two people may each add a service: both lines are right.
_UNION = "scaffold merge=union\n"


@dataclass(frozen=True)
class Record:
    """By path, the content that was written there: as git's blob ids, several where two branches were merged."""

    written: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, root: Path) -> Record:
        """The record of the repo at `root`; empty where it has none. What is no line of one counts as nothing."""
        try:
            lines = (root / PATH).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return cls({})
        found: dict[str, set[str]] = {}
        for line in lines:
            blob, space, path = line.partition("  ")
            if space and not line.startswith("#"):
                found.setdefault(path.strip(), set()).add(blob)
        return cls({path: frozenset(blobs) for path, blobs in found.items()})

    def with_written(self, files: Mapping[str, bytes]) -> Record:
        """The record once these are written."""
        new = {path: frozenset({blob(content)}) for path, content in files.items()}
        return Record({**self.written, **new})

    def files(self) -> dict[str, bytes]:
        """The files that keep the record, by path."""
        lines = [
            f"{one}  {path}\n"
            for path, blobs in sorted(self.written.items())
            for one in sorted(blobs)
        ]
        return {PATH: "".join([_HEAD, *lines]).encode(), ATTRIBUTES: _UNION.encode()}


def blob(content: bytes) -> str:
    """What git calls a file of this content."""
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()
