"""Telling one process from another that got the same pid later."""

from __future__ import annotations

from pathlib import Path

import psutil

MARK = "FLEET_LAB_PART"
"""A variable in the environment of each part: ``<home>:<part>``. Its children inherit it."""


def birth_of(pid: int) -> str | None:
    """What no other process with this pid has; ``None`` if there is none or it is a zombie.

    On Linux it is counted from the boot, so that setting the clock changes nothing; psutil's
    ``create_time`` elsewhere.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return f"{process.create_time():.2f}"
        ticks = stat.read_text().rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (psutil.Error, OSError):
        return None
    return f"{boot}:{ticks}"


def is_same(pid: int, birth: str) -> bool:
    """Whether the process that was born so is still alive."""
    return bool(birth) and birth_of(pid) == birth


def marked(root: str) -> list[int]:
    """Pids of all processes with the mark of the lab in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            part = process.environ().get(MARK, "")
            if part.startswith(f"{root}:") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found
