from __future__ import annotations

import datetime
import json
import stat
import subprocess
from pathlib import Path

import pytest

from lab import exec_credential
from lab.home import LabHome

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_answer_has_the_version_of_the_request(version: str) -> None:
    asked = json.dumps({"apiVersion": f"client.authentication.k8s.io/{version}"})
    made = exec_credential.credential("a-token", NOON, asked)
    assert made == {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "kind": "ExecCredential",
        "status": {"token": "a-token", "expirationTimestamp": "2026-01-01T12:10:00Z"},
    }


def test_run_by_hand_it_answers_with_v1() -> None:
    made = exec_credential.credential("a-token", NOON, "")
    assert made["apiVersion"] == "client.authentication.k8s.io/v1"


def test_the_program_runs_without_any_environment_and_knows_its_lab(tmp_path: Path) -> None:
    home = LabHome(tmp_path / "a lab").create()
    exec_credential.place(home)
    program = exec_credential.program(home)
    assert stat.S_IMODE(program.stat().st_mode) == 0o700
    done = subprocess.run([program, "nope"], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: the lab in {home.root} has no cluster nope\n"
    assert done.stdout == ""
    assert not (home.pki / "nope").exists(), "a wrong name makes no certificates"
    assert subprocess.run([program], env={}, capture_output=True, check=False).returncode == 2
