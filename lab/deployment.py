"""The real ``pulumi``, run against the lab's stacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from lab import project
from lab.environment import variables
from lab.errors import LabError
from lab.home import LabHome
from lab.private_tmp import private_tmp
from lab.report import Reporter
from lab.toolchain import Toolbox

_SAID_LINES = 40


def up(home: LabHome, toolbox: Toolbox, stacks: Sequence[str], reporter: Reporter) -> list[str]:
    """Run ``pulumi up`` on these stacks at the same time; returns what went wrong, in words.

    The output of a single one goes straight to the person. Those of several would run into each other: each goes
    into a log, and what it says went wrong is shown once it has ended.
    """
    for stack in stacks:
        if not ensure_stack(home, toolbox, stack=stack):
            reporter.note(
                f"{project.stack_file(home, stack)} is not the example's any more, and stays"
            )
    deploy = _streamed if len(stacks) == 1 else _logged
    with ThreadPoolExecutor(max_workers=len(stacks)) as pool:
        runs = [pool.submit(deploy, home, toolbox, stack, reporter) for stack in stacks]
        errors = [run.exception() for run in runs]
    for error in errors:
        if error and not isinstance(error, LabError):
            raise error
    return [str(error) for error in errors if error]


def make_room(home: LabHome) -> Path:
    """Make the project's folder, and the one for Pulumi's state, where they are missing; returns the first."""
    home.pulumi_state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return project.ensure(home)


def ensure_stack(home: LabHome, toolbox: Toolbox, *, stack: str) -> bool:
    """Make the stack where it is missing, and its stack file; whether that is as its example is."""
    folder = make_room(home)
    # `pulumi stack rm` leaves a .json.bak; gzip is a setting of the backend
    kept = (f".pulumi/stacks/*/{stack}.{ending}" for ending in ("json", "json.gz"))
    if not any(any(home.pulumi_state.glob(pattern)) for pattern in kept):
        _init(home, toolbox, stack, folder)
    elif not project.stack_file(home, stack).exists():
        raise LabError(
            f"the lab's stack '{stack}' is of an older release, which kept its salt in the checkout; start anew: "
            "'fleet lab down --wipe', then 'fleet lab up'"
        )
    return project.ensure_stack_file(home, stack)


def _init(home: LabHome, toolbox: Toolbox, stack: str, folder: Path) -> None:
    """Have Pulumi make the stack, and put a salt into its stack file."""
    command = [str(toolbox.bin("pulumi")), "stack", "init", stack, "--non-interactive"]
    with private_tmp(home) as tmp:
        done = subprocess.run(
            [*command, "--secrets-provider", "passphrase", "--no-select"],
            cwd=folder,
            env={**os.environ, **variables(home, toolbox), "TMPDIR": str(tmp)},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise LabError(f"the stack '{stack}' could not be made: {done.stderr.strip()}")


def diagnostics(output: str) -> str:
    """What ``pulumi up`` says went wrong: its diagnostics, else the end of its output."""
    _, heading, after = output.rpartition("\nDiagnostics:\n")
    said = after.partition("\nResources:\n")[0] if heading else output
    return "\n".join(said.strip("\n").splitlines()[-_SAID_LINES:])


def summary(output: str) -> str:
    """What ``pulumi up`` did, as it counts it: ``58 created, 2 unchanged``; empty where it doesn't."""
    counts = output.rpartition("\nResources:\n")[2] if "\nResources:\n" in output else ""
    lines = counts.partition("\n\n")[0].splitlines()
    return ", ".join(line.strip(" +-~") for line in lines)


def _streamed(home: LabHome, toolbox: Toolbox, stack: str, reporter: Reporter) -> None:
    """Run it with its output on the terminal; raises :class:`LabError` where it fails."""
    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
    with reporter.phase(f"pulumi up {stack}", spinner=False):
        sys.stdout.flush()
        _run(home, toolbox, stack, "its output above says why", plain=plain)


def _logged(home: LabHome, toolbox: Toolbox, stack: str, reporter: Reporter) -> None:
    """Run it with its output in a log; raises :class:`LabError` where it fails."""
    log = home.logs / f"pulumi-{stack}.log"
    try:
        with reporter.phase(f"pulumi up {stack}"), log.open("wb") as output:
            _run(home, toolbox, stack, f"all it printed: {log}", plain=True, output=output)
    except LabError:
        reporter.note(f"{stack}:\n{diagnostics(log.read_text(errors='replace'))}")
        raise
    if did := summary(log.read_text(errors="replace")):
        reporter.note(f"{stack}: {did}")


def _run(
    home: LabHome,
    toolbox: Toolbox,
    stack: str,
    where: str,
    *,
    plain: bool,
    output: IO[bytes] | None = None,
) -> None:
    command = [str(toolbox.bin("pulumi")), "up", "--yes", "--skip-preview", "--continue-on-error"]
    command += ["--stack", stack, *(["--color", "never", "--non-interactive"] if plain else [])]
    with private_tmp(home) as tmp:
        code = subprocess.run(
            command,
            cwd=home.project,
            env={**os.environ, **variables(home, toolbox), "TMPDIR": str(tmp)},
            stdin=subprocess.DEVNULL if output else None,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            check=False,
        ).returncode
    if code:
        raise LabError(f"'pulumi up' of the stack {stack} failed with exit code {code}; {where}")
