"""The cache of the lab's tools: what is in it is complete, and only one run adds to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from lab.toolchain.model import Tool


@dataclass(frozen=True)
class Cache:
    """Tools by version: an entry is a folder with ``bin`` and ``share``, whole once it is there."""

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """``$FLEET_CACHE``, else ``fleet`` in the user's cache folder."""
        if own := os.environ.get("FLEET_CACHE"):
            return cls(Path(own).expanduser().absolute())
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return cls(Path(base).expanduser().absolute() / "fleet")

    def find(self, tool: Tool) -> Path | None:
        """A tool's entry, if it is there."""
        entry = self.entry(tool)
        return entry if entry.is_dir() else None

    def entry(self, tool: Tool) -> Path:
        """Where a tool's entry is, or will be."""
        return self.root / "tools" / tool.entry

    def log(self, tool: Tool) -> Path:
        """Where the output of a tool's installation goes."""
        return self.root / "logs" / f"{tool.name}.log"

    @contextmanager
    def locked(self, console: Console) -> Iterator[None]:
        """Keep other runs from making tools, and clear away what a killed one left half-made."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / "tools.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            console.print("another run is making the lab's tools: waiting for it", soft_wrap=True)
            lock.acquire()
        try:
            for left in (self.root / "tools").glob(".new-*"):
                shutil.rmtree(left)
            yield
        finally:
            lock.release()

    @contextmanager
    def making(self, tool: Tool) -> Iterator[Path]:
        """A new folder that becomes the tool's entry if the block ends well, else vanishes."""
        new = self.root / "tools" / f".new-{tool.entry}"
        new.mkdir(parents=True)
        try:
            yield new
            new.rename(self.entry(tool))
        finally:
            shutil.rmtree(new, ignore_errors=True)
