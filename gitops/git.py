"""git, as a program: what merges and keeps people's work is git's own judgement, not an imitation of it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

SECONDS = 300


class GitError(Exception):
    """git is not there, or refused; the message has what it said."""


def run(
    folder: Path,
    *words: str,
    check: bool = True,
    stdin: bytes | None = None,
    more: Mapping[str, str] | None = None,
) -> bytes:
    """What `git <words>` in `folder` prints; `more` comes into its environment.

    Raises GitError where it fails, unless `check` is off.
    """
    done = _ran(folder, words, stdin, more)
    if check and done.returncode:
        raise GitError(_said(words, done.stderr))
    return done.stdout


def succeeds(folder: Path, *words: str) -> bool:
    """Whether `git <words>` in `folder` ends with 0. Raises GitError where there is no git."""
    return _ran(folder, words, None).returncode == 0


def line(folder: Path, *words: str) -> str:
    """The one line that `git <words>` prints. Raises GitError."""
    return run(folder, *words).decode(errors="replace").strip()


def top(folder: Path) -> Path | None:
    """The root of the checkout that a folder is in; None where it is in none. Raises GitError where there is no git."""
    done = _ran(folder, ("rev-parse", "--show-toplevel"), None)
    return Path(done.stdout.decode().strip()).resolve() if done.returncode == 0 else None


def merged(
    folder: Path, base: bytes, mine: bytes, theirs: bytes, *, union: bool = False
) -> bytes | None:
    """`mine` with what changed from `base` to `theirs`; None where the two changed the same lines.

    With `union` the lines of both are kept there, mine first.
    """
    with tempfile.TemporaryDirectory() as work:
        names = []
        for name, content in (("mine", mine), ("base", base), ("theirs", theirs)):
            path = Path(work, name)
            path.write_bytes(content)
            names.append(str(path))
        done = _ran(
            folder, ("merge-file", "-p", "--quiet", *(["--union"] if union else []), *names), None
        )
    return done.stdout if done.returncode == 0 else None


def environment() -> Mapping[str, str]:
    """The caller's, without what would have git work elsewhere, ask a person, or page."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
    }
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}


def _ran(
    folder: Path,
    words: tuple[str, ...],
    stdin: bytes | None,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *words],
            env={**environment(), **(more or {})},
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed, or not on PATH") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git {words[0]} has not ended within {SECONDS} s") from None


def _said(words: tuple[str, ...], stderr: bytes) -> str:
    said = " ".join(stderr.decode(errors="replace").split())
    return f"git {words[0]}: {said.removeprefix('fatal: ') or 'failed'}"
