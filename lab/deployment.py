"""The real ``pulumi``, run against the lab's stack."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.context import CHECKOUT
from lab.environment import STACK, variables
from lab.errors import LabError
from lab.home import LabHome
from lab.toolchain import Toolbox


@dataclass(frozen=True)
class Run:
    """How a run of ``pulumi`` ended."""

    exit_code: int
    seconds: float


def up(home: LabHome, toolbox: Toolbox, *, program: Path = CHECKOUT, stack: str = STACK) -> Run:
    """Run ``pulumi up`` on the lab's stack; its own output goes straight to the person."""
    ensure_stack(home, toolbox, program=program, stack=stack)
    arguments = ["up", "--yes", "--skip-preview", "--continue-on-error", "--stack", stack]
    return run(home, toolbox, arguments, program=program)


def run(
    home: LabHome, toolbox: Toolbox, arguments: Sequence[str], *, program: Path = CHECKOUT
) -> Run:
    """Run any ``pulumi`` command in the lab's environment, with its output streamed."""
    command = [str(toolbox.bin("pulumi")), *arguments]
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        command += ["--color", "never", "--non-interactive"]
    start = time.monotonic()
    sys.stdout.flush()
    done = subprocess.run(command, cwd=program, env={**os.environ, **variables(home, toolbox)})
    return Run(done.returncode, time.monotonic() - start)


def ensure_stack(
    home: LabHome, toolbox: Toolbox, *, program: Path = CHECKOUT, stack: str = STACK
) -> None:
    """Make the stack where it is missing, and leave its file as it is in the checkout."""
    home.pulumi_state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(home.pulumi_state.glob(f".pulumi/stacks/*/{stack}.json*")):
        return
    file = program / "stacks" / f"Pulumi.{stack}.yaml"
    before = file.read_bytes() if file.exists() else None
    command = [str(toolbox.bin("pulumi")), "stack", "init", stack, "--non-interactive"]
    done = subprocess.run(
        [*command, "--secrets-provider", "passphrase", "--no-select"],
        cwd=program,
        env={**os.environ, **variables(home, toolbox)},
        capture_output=True,
        text=True,
    )
    if before is not None and file.read_bytes() != before:
        file.write_bytes(before)  # the CLI writes the file anew, and loses its comments
    if done.returncode:
        raise LabError(f"the stack '{stack}' could not be made: {done.stderr.strip()}")
