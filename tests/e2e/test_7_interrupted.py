"""`pulumi up` killed half-way, again and again: the documented recovery converges."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from datetime import UTC, datetime
from pathlib import PurePath

import psutil

from tests.e2e.conftest import onboard
from tests.e2e.fleet_lab import FleetLab

MOMENTS = (
    "vault:jwt/authBackend:AuthBackend",
    "kubernetes:core/v1:ConfigMap",  # while the CRDs are being applied
    "kubernetes:apps/v1:Deployment",
)


def test_killed_and_recovered(lab: FleetLab, new_cluster: str) -> None:
    onboard(lab, new_cluster)
    for moment in MOMENTS:
        _kill_while_creating(lab, moment)
        left = _plugins(lab, "pulumi-resource-")
        assert left, "the official plugin outlives the CLI"
        assert _pending(lab), "Pulumi was killed with something in flight"
        refused = lab.up(check=False)
        assert refused.code != 0, "the dead run's lock is in the way"
        shown = lab.run("fleet", "recover", "--stack", "lab", "--dry-run").output
        assert all(str(pid) in shown for pid in left)
        assert "is not known" not in shown, "the lock tells when the run began"
        assert _plugins(lab, "pulumi-resource-") == left, "--dry-run only shows"
        if moment == MOMENTS[-1]:
            lab.end_credential(new_cluster)  # as much later
        said = lab.run("fleet", "recover", "--stack", "lab", "--yes").output
        print(said)
        assert ("by the credentials of today" in said) == (moment == MOMENTS[-1])
        assert all(str(pid) in said for pid in left)
        assert "Ended: " in said
        assert not _plugins(lab, "pulumi-"), "no plugin of the dead run is left"
        assert not _pending(lab)

    lab.up()
    lab.nothing_to_change()
    assert lab.get("hub", "secret", "-n", "argocd", f"cluster-{new_cluster}")


def test_what_was_there_before_the_run_is_left_alone(lab: FleetLab) -> None:
    """As if a run had been killed while it was making a namespace that another program of Pulumi's has made."""
    other = "--field-manager=pulumi-kubernetes-0e0e0e0e"
    lab.kubectl("staging", "label", "namespace", "default", "made-by=another", other)
    file = lab.state_file()
    state = json.loads(file.read_text())
    latest = state["checkpoint"]["latest"]
    provider = next(
        one
        for one in latest["resources"]
        if one["type"] == "pulumi:providers:kubernetes" and one["urn"].endswith("::staging")
    )
    urn = "urn:pulumi:lab::fleet::kubernetes:core/v1:Namespace::not-ours"
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    resource = {"urn": urn, "custom": True, "type": "kubernetes:core/v1:Namespace", "inputs": inputs,
                "provider": f"{provider['urn']}::{provider['id']}"}  # fmt: skip
    latest["pending_operations"] = [{"resource": resource, "type": "creating"}]
    # Not by `pulumi stack import`, which drops them.
    file.write_text(json.dumps(state))
    locks = lab.home / "pulumi-state/.pulumi/locks/organization/fleet/lab"
    locks.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat()
    lock = {"pid": 2**22 - 1, "username": "me", "hostname": socket.gethostname(), "timestamp": now}
    (locks / "0e0e0e0e.json").write_text(json.dumps(lock))

    said = " ".join(lab.run("fleet", "recover", "--stack", "lab", "--yes").output.split())
    assert "not-ours (default) was left alone: exists, but since" in said
    assert "Recovered: 0 taken into the state" in said
    assert not [one for one in lab.state() if one["urn"] == urn]
    assert lab.get("staging", "namespace", "default")["metadata"]["labels"]["made-by"] == "another"
    lab.nothing_to_change()


def _kill_while_creating(lab: FleetLab, kind: str) -> None:
    """Start `pulumi up` and SIGKILL the CLI as soon as its state says that an object of `kind` is being created."""
    with lab.up_begun() as process:
        while kind not in _pending(lab):
            assert process.poll() is None, f"the run ended before a {kind} was being created"
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def _pending(lab: FleetLab) -> str:
    """The part of the state file that tells of operations begun and not ended."""
    return lab.state_file().read_text().partition('"pending_operations"')[2]


def _plugins(lab: FleetLab, kind: str) -> list[int]:
    """The pids of this lab's plugins whose program's name begins so, without those that end by themselves at once.

    The language host ends by itself as well, five minutes after its start.
    """
    time.sleep(2)
    found = []
    for process in psutil.process_iter():
        try:
            program = process.cmdline()[:2]
            ours = process.environ().get("FLEET_LAB") == str(lab.home)
            dead = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if ours and not dead and any(PurePath(word).name.startswith(kind) for word in program):
            found.append(process.pid)
    return sorted(found)
