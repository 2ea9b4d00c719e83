"""`pulumi up` killed at any moment: the documented recovery converges. `SEEDS` says how many moments are tried."""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest

from tests.e2e.conftest import onboard
from tests.e2e.fleet_lab import FleetLab

SEEDS = int(os.environ.get("SEEDS", "12"))
EARLIEST, LATEST = 2.0, 14.0
"""Seconds after the start: from the program's own start to about the end of a run that adds one spoke."""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_recovery_converges(lab: FleetLab, new_cluster: str, seed: int) -> None:
    moment = random.Random(seed).uniform(EARLIEST, LATEST)
    onboard(lab, new_cluster)
    print(f"killed after {moment:.1f} s: {_killed_after(lab, moment)}")
    print(lab.run("fleet", "recover", "--stack", "lab", "--yes").output)
    lab.up()
    lab.nothing_to_change()
    assert lab.get("hub", "secret", "-n", "argocd", f"cluster-{new_cluster}")


def _killed_after(lab: FleetLab, seconds: float) -> bool:
    """Start `pulumi up` and SIGKILL the CLI; whether it was still running then."""
    with lab.up_begun() as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return True
    return False
