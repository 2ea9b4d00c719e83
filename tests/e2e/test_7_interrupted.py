"""`pulumi up` killed half-way, at two places: the documented recovery converges."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import onboard
from tests.e2e.fleet_lab import FleetLab


@pytest.mark.parametrize("moment", ["vault:jwt:AuthBackend", "CustomResourceDefinition"])
def test_killed_and_recovered(
    lab: FleetLab, new_cluster: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    # The lab's convenience would hide what recovery is for: objects that exist and Pulumi doesn't know of.
    monkeypatch.delitem(lab.env, "PULUMI_K8S_UPSERT_EXISTING_OBJECTS")
    onboard(lab, new_cluster)
    _kill_when(lab, moment)
    assert not _plugins(lab), "no plugin outlives the CLI"

    refused = lab.up(check=False)
    assert refused.code != 0, "the dead run's lock is in the way"
    print(lab.run("fleet", "recover", "--stack", "lab", "--yes").output)
    lab.up()
    lab.nothing_to_change()
    assert lab.get("hub", "secret", "-n", "argocd", f"cluster-{new_cluster}")
    lab.run_controllers()


def _kill_when(lab: FleetLab, moment: str) -> None:
    """Start `pulumi up` and SIGKILL the CLI as soon as it says that it is creating `moment`."""
    with subprocess.Popen(
        ["pulumi", "up", "--stack", "lab", "--yes", "--skip-preview", "--non-interactive"],
        cwd=lab.project,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        seen = []
        for line in process.stdout:
            seen.append(line)
            if moment in line and "creating" in line:
                break
        else:
            raise AssertionError(f"never saw {moment} being created:\n{''.join(seen)}")
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def _plugins(lab: FleetLab) -> list[str]:
    """Plugin processes of this lab that still run a few seconds after the kill."""
    deadline = time.monotonic() + 10
    while True:
        found = lab.run("pgrep", "-af", "pulumi-resource-", check=False).output.splitlines()
        ours = [line for line in found if _in_lab(lab, line.split()[0])]
        if not ours or time.monotonic() > deadline:
            return ours
        time.sleep(0.5)


def _in_lab(lab: FleetLab, pid: str) -> bool:
    try:
        return f"FLEET_LAB={lab.home}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
