"""Writing into a checkout: each file whole or not at all, one run at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gitops import git
from gitops.scaffold.changes import Change, safe
from gitops.scaffold.facts import ScaffoldError
from gitops.scaffold.record import BASES, Record


def checkout(folder: Path) -> Path:
    """The root of the repo that is to be scaffolded, made where it isn't there. Raises ScaffoldError, GitError."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ScaffoldError(f"{folder} is no directory")
    if folder.is_dir() and any(folder.iterdir()):
        top = git.top(folder)
        if top is None:
            raise ScaffoldError(
                f"{folder} has files in it and is no git repo; name a new directory, or run `git init` there first"
            )
        if top != folder.resolve():
            raise ScaffoldError(
                f"{folder} is inside the repo {top}, and Argo CD reads a gitops-config repo from its root; name that"
            )
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Inside, no other run writes there. Raises ScaffoldError where one does now."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ScaffoldError(
                f"another `fleet scaffold` is at work in {folder}; wait for it"
            ) from None
        yield
    finally:
        os.close(handle)


def write(root: Path, changes: Iterable[Change], record: Record) -> None:
    """Write the changes, then the record of them: cut off in between, the next run finds the rest to do.

    Raises ScaffoldError where a file can't be written, with those before it written; and, with nothing written, where
    one is not any more what the changes were made for.
    """
    done = {one.path: one for one in changes if one.after is not None}
    for path, one in done.items():
        place = safe(root, path)
        if (place.read_bytes() if place.exists() else None) != one.before:
            raise ScaffoldError(f"{path} was changed meanwhile; nothing was written, run it again")
    put(root, {path: one.after for path, one in done.items() if one.after is not None})
    # Of a merge, what Fleet itself would have: against that the next one is made.
    put(
        root,
        {f"{BASES}/{path}": one.wanted for path, one in done.items() if one.kind == "merge"},
    )
    put(root, record.with_written({path: one.wanted for path, one in done.items()}).files())


def put(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a repo, each whole or not at all. Raises ScaffoldError."""
    for path, content in files.items():
        place = safe(root, path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
            handle, new = tempfile.mkstemp(dir=place.parent, prefix=".fleet-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(new).chmod(mode)
                Path(new).replace(place)
            except BaseException:
                Path(new).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ScaffoldError(f"{path} can't be written: {error.strerror}") from None
