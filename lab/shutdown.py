"""Stopping the lab: every part it started, and nothing else."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from lab import control_plane
from lab.errors import LabError
from lab.home import LabHome
from lab.lock import locked
from lab.private_tmp import sweep
from lab.process_identity import birth_of
from lab.processes import Processes, end_all


def down(home: LabHome, *, wipe: bool = False) -> list[str]:
    """Stop every part of the lab; returns the names of those that ran.

    ``wipe`` deletes its folder, too, with all state and the person's clone. Raises
    :class:`LabError` where something is left running, or the folder is none of a lab.
    """
    if not home.root.exists():
        return []
    if not home.is_lab():
        raise LabError(f"{home.root} is not a lab's folder; it is left as it is. Check FLEET_LAB.")
    with locked(home):
        processes = Processes(home)
        names = processes.names()
        running = [name for name in names if processes.is_running(name)]
        own = [name for name in names if processes.state(name).pid == os.getpid()]  # the janitor
        others = [name for name in names if name not in own]
        # etcd last: an API server that can't reach it lingers
        processes.stop([name for name in others if name != control_plane.ETCD])
        processes.stop([control_plane.ETCD])
        _end_leftovers(processes)
        for name in own:
            processes.forget(name)
        sweep(home)
        if wipe:
            shutil.rmtree(home.root)
    return running


def _end_leftovers(processes: Processes) -> None:
    """End what parts started and left behind, and make sure that nothing remains."""
    left = [pid for pid in processes.leftovers() if pid != os.getpid()]
    end_all([(pid, birth) for pid in left if (birth := birth_of(pid))])
    if left := [pid for pid in processes.leftovers() if pid != os.getpid()]:
        raise LabError(f"processes of the lab are left: {left}")


if __name__ == "__main__":  # by the janitor
    down(LabHome(Path(sys.argv[1])))
