"""A TMPDIR for one command alone, removed when the command ends.

Pulumi's Kubernetes plugin leaves a kubeconfig with credentials per provider in TMPDIR, at each run. The folder is in
the lab's, where nobody else may enter, and has a short name, because sockets live in it and their paths are limited.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.home import LabHome

_PREFIX = "run-"
_CHECKOUT = Path(__file__).resolve().parent.parent


@contextmanager
def private_tmp(home: LabHome) -> Iterator[Path]:
    """A folder for the command that is run in this block."""
    folder = _make(home)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def private_tmp_of_this_process(home: LabHome) -> Path:
    """A folder for whatever this process becomes by ``exec``: another process waits for its end, and removes it."""
    folder = _make(home)
    subprocess.Popen(
        [sys.executable, "-m", "lab.private_tmp", str(folder), str(os.getpid())],
        cwd=_CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C in the terminal is not for it
    )
    return folder


def sweep(home: LabHome) -> None:
    """Remove the folders of commands that were killed, or whose maker was and which have ended since."""
    _remove(
        folder
        for folder in home.tmp.glob(f"{_PREFIX}*")
        if (maker := _maker(folder)) and not _alive(maker)
    )


def _remove(folders: Iterable[Path]) -> None:
    """Remove these, but for what a living process has for its TMPDIR, or has that within."""
    if not (left := list(folders)):
        return
    used = _in_use()
    for folder in left:
        if not any(folder == one or folder in one.parents for one in used):
            shutil.rmtree(folder, ignore_errors=True)


def _make(home: LabHome) -> Path:
    return Path(tempfile.mkdtemp(dir=home.tmp, prefix=f"{_PREFIX}{os.getpid()}-"))


def _maker(folder: Path) -> int:
    """The pid of the process that made the folder; 0 for one that was made otherwise."""
    pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
    return int(pid) if pid.isdecimal() else 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it got the pid of one that has ended: not ours
        return False
    return True


def _in_use() -> set[Path]:
    """The TMPDIR of every process, but not of plugins: they may outlive a killed Pulumi for long."""
    import psutil

    found = set()
    for process in psutil.process_iter():
        try:
            if not process.name().startswith("pulumi-resource"):
                found.add(Path(process.environ().get("TMPDIR", "/")))
        except psutil.Error:
            continue
    return found


def _wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # no pidfd here, as on macOS
        while _alive(pid):
            time.sleep(0.2)
    else:
        select.select([handle], [], [])


if __name__ == "__main__":
    _wait_for_end(int(sys.argv[2]))
    _remove(
        [Path(sys.argv[1])]
    )  # what was begun in the background may go on; the janitor sees to it
