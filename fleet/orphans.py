"""Plugins of Pulumi that outlived their run: which they are, and how they end.

The engine starts every plugin as its child and gives it the address that it listens on, `127.0.0.1:<port>`. The
plugins end when the engine tells them to, so a CLI that was killed leaves them: the official Kubernetes plugin for
as long as the machine runs, with a cluster's credentials in its memory, and still making what it was told to make.
The language host goes after some minutes.

Asked of psutil alone. Only processes of this user and this machine are seen.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import psutil

_PLUGIN = re.compile(r"pulumi-(?:resource|language|analyzer)-[\w.-]+")
_INTERPRETER = re.compile(r"(?:python|pypy|node|bash|dash|sh)[\d.]*")
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d{1,5})")
_PATIENCE = 5.0
"""Seconds from SIGTERM to SIGKILL, as the engine gives its plugins."""
_SETTLE = 1.0
"""Seconds for a server to end what a plugin had asked of it when it was ended."""


@dataclass(frozen=True)
class Orphan:
    """A plugin whose engine is dead, or the program that a dead engine ran."""

    name: str
    """Such as `pulumi-resource-kubernetes`; the program's is `pulumi-language-python-exec`."""
    process: psutil.Process = field(repr=False)

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self.process.pid


def find() -> list[Orphan]:
    """The plugins of dead runs, by name and pid.

    One is spared if there is any doubt: it has a living parent that may have started it, or an engine that is older
    than it listens where its own did.
    """
    lost = [found for process in _own() if (found := _lost(process))]
    listening = _listening({port for _, port in lost}) if lost else {}
    dead = [
        orphan
        for orphan, port in lost
        if not any(_may_be_engine_of(orphan, owner) for owner in listening[port])
    ]
    return sorted(dead, key=lambda orphan: (orphan.name, orphan.pid))


def end(orphans: Sequence[Orphan], patience: float = _PATIENCE) -> list[Orphan]:
    """SIGTERM to all, SIGKILL to those that live on; returns the ones that even this did not end.

    What one had asked of a server is carried out, or not, by the time that this returns. A pid that belongs to
    another process by now is left alone: psutil remembers when each was born.
    """
    for tell in (psutil.Process.terminate, psutil.Process.kill):
        for orphan in orphans:
            with suppress(psutil.Error):
                tell(orphan.process)
        psutil.wait_procs([orphan.process for orphan in orphans], timeout=patience)
        if all(_gone(orphan.process) for orphan in orphans):
            break
    time.sleep(_SETTLE if orphans else 0)
    return [orphan for orphan in orphans if not _gone(orphan.process)]


def plugin_name(executable: str, words: Sequence[str]) -> str:
    """The plugin that runs as this executable with this command line; empty where it is none.

    A script's executable is its interpreter, and its own name comes after that one's options. A mere mention of a
    plugin, as in `tail -f pulumi-resource-x.log`, makes none.
    """
    # The executable may have another name than it was started by, where that was a link.
    names = [executable, *words[:1]]
    if _INTERPRETER.fullmatch(PurePath(executable).name):
        names += [word for word in words[1:] if not word.startswith("-")][:1]
    return next((n for name in names if _PLUGIN.fullmatch(n := PurePath(name).name)), "")


def engine_port(words: Sequence[str]) -> int | None:
    """Where the engine of this command line listened; None for a plugin that was started by hand, to be attached to."""
    words = words[words.index("--engine") + 1 :][:1] if "--engine" in words else words
    ports = [found[1] for word in words if (found := _ADDRESS.fullmatch(word))]
    return int(ports[-1]) if ports else None


def _own() -> Iterable[psutil.Process]:
    """The living processes of this user."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == os.getuid() and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _lost(process: psutil.Process) -> tuple[Orphan, int] | None:
    """A plugin, and the port of its engine, if it is no child of that any more."""
    with suppress(psutil.Error, OSError):  # it ended meanwhile
        name, port = _plugin(process), engine_port(process.cmdline())
        if name and port and _abandoned(process):
            return Orphan(name, process), port
    return None


def _abandoned(process: psutil.Process) -> bool:
    """Whether the process that started it is gone, so that PID 1 or a subreaper is its parent now."""
    above = process.parents()
    if any(_is_engine(one) for one in above):
        return False
    while above and _plugin(above[0]):  # the program is the language host's child
        process, *above = above
    if not above or above[0].pid == 1:
        return True
    # A child is in its parent's session, unless it leads one itself, which no plugin does. So this parent, if it is in
    # another session, has taken the process in. Else it may be a test that started a plugin by itself.
    return os.getsid(process.pid) not in (os.getsid(above[0].pid), process.pid)


def _listening(ports: set[int]) -> dict[int, list[psutil.Process]]:
    """Who listens on these ports; without other users' processes, which can't be the engine of this one's plugins."""
    owners: dict[int, list[psutil.Process]] = {port: [] for port in ports}
    for pid, connection in _connections():
        if pid and connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports:
            with suppress(psutil.NoSuchProcess):
                owners[connection.laddr.port].append(psutil.Process(pid))
    return owners


def _connections() -> Iterator[tuple[int | None, Any]]:
    try:
        yield from ((one.pid, one) for one in psutil.net_connections("tcp"))
    except psutil.AccessDenied:  # macOS tells of each process alone
        for process in _own():
            with suppress(psutil.Error):
                yield from ((process.pid, one) for one in process.net_connections("tcp"))


def _may_be_engine_of(orphan: Orphan, owner: psutil.Process) -> bool:
    """Whether the listener on the engine's port may be the engine, and not somebody who got the port after it."""
    with suppress(psutil.NoSuchProcess):
        if owner.create_time() > orphan.process.create_time():
            return False
        return _is_engine(owner) or owner in orphan.process.parents()
    return False


def _is_engine(process: psutil.Process) -> bool:
    """Whether this is the CLI, under whichever name beginning with `pulumi`; in doubt it is."""
    try:
        return "pulumi" in PurePath(process.exe() or process.name()).name and not _plugin(process)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # another user's
        return "pulumi" in process.name()


def _plugin(process: psutil.Process) -> str:
    """The name of the plugin that this process is; empty where it is none or may not be asked."""
    with suppress(psutil.Error):
        return plugin_name(process.exe(), process.cmdline())
    return ""


def _gone(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        # A zombie does nothing any more; whoever took it in may never ask for its end.
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True
