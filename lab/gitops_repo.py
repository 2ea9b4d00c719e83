"""What the lab's gitops-config repo starts with: what ``fleet scaffold`` makes of the examples' stack files."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lab import environment, forge, private_tmp
from lab.context import Lab
from lab.errors import LabError
from lab.project import EXAMPLES
from lab.working_clone import ensure_clone, first_push

STACKS = ("lab", "production", "staging", "dev")
"""All clusters that the lab may have, in any topology."""
_TAGS = ("--tag=dev=v2.4.0-alpha.2", "--tag=staging=v2.3.1-rc.1", "--tag=production=v2.3.0")
_CREDENTIALS = "payment-db-credentials=payment-service/db:username,password"
SERVICES: Mapping[str, tuple[str, ...]] = {
    "payment-service": (f"--secret={_CREDENTIALS}",),
    "auth-service": ("--port=8081",),
    "notification-service": ("--port=8082",),
}
"""The services, each with what it has beyond the ordinary."""


def commands(folder: Path) -> list[list[str]]:
    """What is run, in this order, to make the repo in ``folder``; without the program's name."""
    stacks = [f"--stack={stack}" for stack in STACKS]
    services = [
        ["scaffold", "service", name, f"--in={folder}", "--yes", *stacks, *_TAGS, *more]
        for name, more in SERVICES.items()
    ]
    return [["scaffold", str(folder), *stacks], *services]


def ensure(lab: Lab) -> None:
    """Fill the forge's repo where it is empty, and make the person's clone where that is missing.

    Raises :class:`LabError`.
    """
    me, remote = forge.credentials(lab.home), forge.repo_url(lab.home)
    if forge.is_empty(lab.home):
        with private_tmp.private_tmp(lab.home) as tmp:
            made = Path(tmp) / "gitops-config"
            _scaffold(lab, Path(tmp), made)
            first_push(lab.home, made, remote, me.username, me.token, forge.EMAIL)
    ensure_clone(lab.home, remote, me.username, me.token, forge.EMAIL)


def _scaffold(lab: Lab, room: Path, folder: Path) -> None:
    # By their examples: a person may have changed the lab's own stack files, or not have them all.
    stacks = Path(tempfile.mkdtemp(dir=room)) / "stacks"
    stacks.mkdir()
    for stack in STACKS:
        file = f"Pulumi.{stack}.yaml"
        (stacks / file).write_text((EXAMPLES / file).read_text())
    env = {**os.environ, **environment.variables(lab.home, lab.toolbox)}
    # A merge without a repo for it is none: the services come into a checkout.
    for number, words in enumerate(commands(folder)):
        if number == 1:
            subprocess.run(["git", "init", "--quiet", str(folder)], env=env, check=True)
        done = subprocess.run(
            [sys.executable, "-m", "fleet", *words],
            cwd=stacks.parent,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise LabError(f"fleet {' '.join(words[:2])} failed: {done.stderr or done.stdout}")
