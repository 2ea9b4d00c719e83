"""`pulumi up` killed half-way, twice: the documented recovery converges."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import onboard
from tests.e2e.fleet_lab import FleetLab


def test_killed_twice_and_recovered(
    lab: FleetLab, new_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lab's convenience would hide what recovery is for: objects that exist and Pulumi doesn't know of.
    monkeypatch.delitem(lab.env, "PULUMI_K8S_UPSERT_EXISTING_OBJECTS")
    onboard(lab, new_cluster)
    for moment in ("vault:jwt/authBackend:AuthBackend", "kubernetes:apps/v1:Deployment"):
        _kill_while_creating(lab, moment)
        assert not _plugins(lab), "no plugin outlives the CLI"
        assert _pending(lab), "Pulumi was killed with something in flight"
        refused = lab.up(check=False)
        assert refused.code != 0, "the dead run's lock is in the way"
        print(lab.run("fleet", "recover", "--stack", "lab", "--yes").output)
        assert not _pending(lab)

    lab.up()
    lab.nothing_to_change()
    assert lab.get("hub", "secret", "-n", "argocd", f"cluster-{new_cluster}")


def _kill_while_creating(lab: FleetLab, kind: str) -> None:
    """Start `pulumi up` and SIGKILL the CLI as soon as its state says that an object of `kind` is being created."""
    with subprocess.Popen(
        ["pulumi", "up", "--stack", "lab", "--yes", "--skip-preview", "--non-interactive"],
        cwd=lab.project,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while kind not in _pending(lab):
            assert process.poll() is None, f"the run ended before a {kind} was being created"
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def _pending(lab: FleetLab) -> str:
    """The part of the state file that tells of operations begun and not ended."""
    (state,) = (lab.home / "pulumi-state" / ".pulumi" / "stacks" / "fleet").glob("lab.json")
    # The file has megabytes; what is pending stands at its end.
    with state.open("rb") as file:
        file.seek(-min(state.stat().st_size, 500_000), os.SEEK_END)
        return file.read().decode(errors="replace").partition('"pending_operations"')[2]


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
