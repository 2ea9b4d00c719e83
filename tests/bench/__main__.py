"""`make bench`: how long a lab takes, how much it needs. Prints one JSON object; asserts nothing.

Times are seconds of one run on this machine, so compare the ratios, not the figures, between machines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console

from lab import up
from lab.home import LabHome
from lab.processes import memory
from lab.toolchain import ensure

IDLE_SECONDS = 30
REPO = Path(__file__).parents[2]


def main() -> None:
    """Start a lab of its own, start it again, look at it while idle, and remove it."""
    root = Path(tempfile.mkdtemp(prefix="fleet-bench-"))
    os.environ |= {"FLEET_LAB": str(root), "FLEET_LAB_TTL": "1h"}
    home = LabHome(root)
    ensure(console=Console(stderr=True))
    try:
        first = _timed("fleet", "lab", "up")
        second = _timed("fleet", "lab", "up")
        preview = _timed(
            *("fleet", "lab", "run", "--", "pulumi", "preview", "--stack", "lab"),
            *("--expect-no-changes", "--non-interactive"),
        )
        pids = [state.pid for state in up.status(home) if state.pid]
        idle = _idle_cores(pids)
        result = {
            "first_up_s": first,
            "second_up_s": second,
            "second_to_first": round(second / first, 3),
            "no_op_preview_s": preview,
            "processes": len(pids),
            "memory_gib": round(memory(pids) / 2**30, 2),
            "idle_cores": idle,
            "state_mib": round(
                sum(one.stat().st_size for one in root.glob("pulumi-state/**/lab.json")) / 2**20, 1
            ),
        }
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    finally:
        _timed("fleet", "lab", "down", "--wipe", "--yes")


def _timed(*command: str) -> float:
    """Seconds that a command took; its output goes to standard error. Raises where it fails."""
    started = time.monotonic()
    subprocess.run(command, cwd=REPO, stdout=sys.stderr, check=True)
    return round(time.monotonic() - started, 1)


def _idle_cores(pids: list[int]) -> float:
    """Cores that the lab uses while nobody does anything."""
    time.sleep(10)  # the last sync settles

    def used() -> float:
        return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)

    before = used()
    time.sleep(IDLE_SECONDS)
    return round((used() - before) / IDLE_SECONDS, 2)


if __name__ == "__main__":
    main()
