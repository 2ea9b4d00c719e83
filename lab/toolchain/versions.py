"""Versions of the lab's tools: how to read one, and when a tool that is there already will do."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

_VERSION = re.compile(r"(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?(-?[A-Za-z][\w.-]*|-\w[\w.-]*)?")
_PROBE_SECONDS = 30


class Version(NamedTuple):
    """A version as a tool prints it; ``suffix`` is what follows a dash, such as ``rc.1``."""

    major: int
    minor: int
    patch: int
    suffix: str = ""

    @classmethod
    def find(cls, text: str) -> Version | None:
        """The first version in a text, or nothing."""
        match = _VERSION.search(text)
        if match is None:
            return None
        major, minor, patch, suffix = match.groups()
        return cls(int(major), int(minor), int(patch or 0), (suffix or "").lstrip("-"))

    @classmethod
    def of(cls, text: str) -> Version:
        """The version in a text that is known to have one."""
        version = cls.find(text)
        if version is None:
            raise ValueError(f"no version in {text!r}")
        return version

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        return f"{text}-{self.suffix}" if self.suffix else text


class Accept(Enum):
    """Which versions of a tool will do in place of the pinned one.

    A version with a suffix never will: it is a pre-release, or, as the ``kubectl`` dispatcher
    that comes with Google's SDK, another program under the tool's name.
    """

    EXACT = "the pinned version"
    PATCH = "the pinned minor version, at the pinned patch or a later one"
    MAJOR = "the pinned major version, at the pinned minor and patch or later ones"
    LATER = "the pinned version or any later one"

    def allows(self, found: Version, pinned: Version) -> bool:
        """Whether a version that was found will do in place of the pinned one."""
        if found.suffix:
            return False
        same = {Accept.EXACT: 3, Accept.PATCH: 2, Accept.MAJOR: 1, Accept.LATER: 0}[self]
        return found[:same] == pinned[:same] and found >= pinned


def probe(executable: Path, arguments: Sequence[str]) -> Version | None:
    """Ask a tool for its version; nothing where it fails, hangs or prints none."""
    try:
        answer = subprocess.run(
            [str(executable), *arguments],
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Version.find(answer.stdout + answer.stderr) if answer.returncode == 0 else None
