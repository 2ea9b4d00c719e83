"""What a repo lacks of what it should have, and what people have made of the rest: nothing is written here."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gitops import git
from gitops.scaffold.facts import ScaffoldError
from gitops.scaffold.record import BASES, Record, blob

Kind = Literal["add", "update", "merge", "edited", "deleted", "unwanted"]
"""`merge`: a person edited it, and what is new goes beside that; `edited`: it doesn't, so the file is left alone."""


@dataclass(frozen=True)
class Change:
    """One file: what it is, what Fleet would have it be, and what would be written (None: nothing)."""

    path: str
    kind: Kind
    before: bytes | None
    wanted: bytes
    after: bytes | None

    def diff(self) -> str:
        """From what is there to what would be written; for what is left alone, to what Fleet would have."""
        then = self.wanted if self.after is None else self.after
        return "".join(
            difflib.unified_diff(
                _lines(self.before or b""),
                _lines(then),
                f"a/{self.path}" if self.before is not None else "/dev/null",
                f"b/{self.path}",
            )
        )


def changes(
    root: Path, wanted: Mapping[str, str], record: Record, once: frozenset[str]
) -> list[Change]:
    """What to do to have `wanted` in the repo at `root`, by path; what is right already is left out.

    `once` are directories that are written only where they aren't there yet, nor ever were: a service is its team's.
    Raises ScaffoldError where a path can't be written.
    """
    found = []
    for path, content in wanted.items():
        kept = _once(path, once)
        if kept and ((root / kept).exists() or _known(record, kept)):
            continue
        if change := _change(root, path, content.encode(), record):
            found.append(change)
    for path in sorted({*record.written} - {*wanted}):
        if not _once(path, once) and (root / path).is_file():
            before = (root / path).read_bytes()
            if blob(_unix(before)) in record.written[path]:
                found.append(Change(path, "unwanted", before, before, None))
    return sorted(found, key=lambda change: change.path)


def _change(root: Path, path: str, wanted: bytes, record: Record) -> Change | None:
    place, written = safe(root, path), record.written.get(path, frozenset())
    if not place.exists():
        return Change(
            path, "deleted" if written else "add", None, wanted, None if written else wanted
        )
    before = place.read_bytes()
    unix = _unix(before)
    if unix == wanted or (blob(wanted) in written and blob(unix) not in written):
        return None  # As it should be; or a person's own version of what is still wanted.
    if blob(unix) in written:
        return Change(path, "update", before, wanted, _as(before, wanted))
    for old in _bases(root, path, written):
        if (merged := _merged(root, path, old, unix, wanted)) is not None:
            if merged == unix:
                return None
            return Change(path, "merge", before, wanted, _as(before, merged))
    return Change(path, "edited", before, wanted, None)


def _merged(root: Path, path: str, old: bytes, mine: bytes, wanted: bytes) -> bytes | None:
    found = git.merged(root, old, mine, wanted)
    if found is not None or not path.endswith("/kustomization.yaml"):
        return found
    # In a list both add their entries at one place; as long as the person took none out, all of them are meant.
    steps = difflib.SequenceMatcher(None, _lines(old), _lines(mine), autojunk=False).get_opcodes()
    if any(tag in ("replace", "delete") for tag, *_ in steps):
        return None
    found = git.merged(root, old, mine, wanted, union=True)
    entries = [line for line in _lines(found or b"") if line.startswith("  - ")]
    return found if len(entries) == len({*entries}) else None


def _bases(root: Path, path: str, written: frozenset[str]) -> Iterator[bytes]:
    """What Fleet wrote there before a person changed it: from the copy beside the record, or from git."""
    try:
        copy = (root / BASES / path).read_bytes()
        if blob(copy) in written:
            yield copy
    except OSError:
        pass
    for name in sorted(written):
        if old := git.run(root, "cat-file", "blob", name, check=False):
            yield old


def safe(root: Path, path: str) -> Path:
    """Where a file of the repo is. Raises ScaffoldError where it would be written elsewhere, or over something."""
    place = root
    parts = path.split("/")
    for depth, part in enumerate(parts, 1):
        place /= part
        here = "/".join(parts[:depth])
        if place.is_symlink():
            raise ScaffoldError(
                f"{here} is a link, and Fleet writes through none; make it a file or directory, or take it away"
            )
        if depth == len(parts):
            if place.exists() and not place.is_file():
                raise ScaffoldError(
                    f"{here} is a directory, and Fleet would write a file there; rename it"
                )
        elif place.exists() and not place.is_dir():
            raise ScaffoldError(f"{here} is a file, and Fleet needs a directory there; rename it")
        elif (place / ".git").exists():
            raise ScaffoldError(
                f"{here} is a repo of its own (a submodule), and Fleet writes into this one only; move it elsewhere"
            )
    return place


def _once(path: str, once: frozenset[str]) -> str:
    return next((folder for folder in once if path.startswith(f"{folder}/")), "")


def _known(record: Record, folder: str) -> bool:
    return any(path.startswith(f"{folder}/") for path in record.written)


def _unix(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


def _as(before: bytes, content: bytes) -> bytes:
    """The content with the line ends that the file has."""
    return content.replace(b"\n", b"\r\n") if b"\r\n" in before else content


def _lines(content: bytes) -> list[str]:
    return _unix(content).decode(errors="replace").splitlines(keepends=True)


def shown(found: list[Change]) -> Iterator[Change]:
    """Those whose content says something to a person: not what is simply new."""
    return (one for one in found if one.kind not in ("add", "deleted", "unwanted"))
