"""The lab's gitops-config repo as files: made by `fleet scaffold`, as the lab makes it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import certifi
from typer.testing import CliRunner

from fleet.commands import app
from lab.gitops_repo import STACKS, commands

EXAMPLES = Path(__file__).parents[1] / "examples"


@cache
def lab_repo() -> Path:
    """The repo, made once for all tests of a run."""
    work = Path(tempfile.mkdtemp(prefix="fleet-lab-repo-"))
    import atexit

    atexit.register(shutil.rmtree, work, ignore_errors=True)
    (work / "stacks").mkdir()
    (work / "crds.yaml").touch()
    (work / "rollouts.yaml").touch()
    (work / "chart").mkdir()
    for stack in STACKS:
        shutil.copy(EXAMPLES / f"Pulumi.{stack}.yaml", work / "stacks")
    env = {
        "KUBECONFIG": os.devnull,
        "VAULT_ADDR": "https://127.0.0.1:8200",
        "VAULT_CACERT": certifi.where(),
        "FLEET_ARGOCD_MANIFEST": "install.yaml",
        "FLEET_ARGO_ROLLOUTS_MANIFEST": "rollouts.yaml",
        "FLEET_GITOPS_REPO": "https://git.example.com/platform/gitops-config.git",
        "FLEET_EXTERNAL_SECRETS_CRDS": "crds.yaml",
        "FLEET_EXTERNAL_SECRETS_CHART": "chart",
    }
    folder = work / "gitops-config"
    with contextlib.chdir(work):
        for words in commands(folder):
            done = CliRunner().invoke(app, words, env=env)
            assert done.exit_code == 0, done.output
            subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder
