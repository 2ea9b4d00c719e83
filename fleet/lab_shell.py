"""Working in the lab: `fleet lab env`, `shell`, `run` and `logs`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from fleet import lab_home
from fleet.lab_home import told_errors
from fleet.options import fail

_POLL_SECONDS = 0.3
_IN_THE_PROJECT = ("pulumi", "fleet")
"""Commands that look for stack files where they are run."""


def env() -> None:
    """Print the lab's environment as export lines. They hold the lab's Vault root token.

    Example:
      eval "$(fleet lab env)"

    """
    with told_errors():
        found = lab_home.variables()
    for name, value in found.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def shell() -> None:
    """Start your shell with the lab's environment: plain pulumi, kubectl --context, argocd and bao just work.

    Examples, inside it:
      pulumi preview
      kubectl --context staging get pods -A
      argocd app list
      bao kv get -namespace=production secret/payment-service/db
    """
    with told_errors():
        found = lab_home.variables()
        home = lab_home.home()
    chosen = os.environ.get("SHELL") or shutil.which("bash") or "/bin/sh"
    command = [chosen]
    if Path(chosen).name == "bash":
        # bash's own start-up files would overwrite the prompt, and often put other folders first on PATH.
        start = home.root / "shell.rc"
        prompt = '\nPS1="(fleet-lab) ${PS1:-$ }"\n'
        path = f"export PATH={shlex.quote(found['PATH'])}"
        start.write_text(f"[ -f ~/.bashrc ] && . ~/.bashrc\n{path}{prompt}")
        command += ["--rcfile", str(start)]
    typer.echo(
        f"In the lab's environment and its Pulumi project, {home.project}; leave it with `exit`. Try: pulumi preview",
        err=True,
    )
    _become(command, found, project=True)


def run(
    context: typer.Context,
) -> None:
    """Run one command with the lab's environment; its exit code is passed on.

    `pulumi` and `fleet` run in the lab's Pulumi project, where its stack files are; others run here.

    Examples:
      fleet lab run -- pulumi preview --expect-no-changes
      fleet lab run -- kubectl --context hub -n argocd get applications

    """
    if not context.args:
        fail("no command given, e.g.: fleet lab run -- pulumi preview")
    with told_errors():
        found = lab_home.variables()
    _become(context.args, found, project=context.args[0] in _IN_THE_PROJECT)


def _become(command: list[str], variables: dict[str, str], *, project: bool) -> None:
    """Replace this process, so that signals and the exit code need no passing on; in the lab's `project`, or here."""
    from lab.private_tmp import private_tmp_of_this_process
    from lab.project import ensure

    sys.stdout.flush()
    sys.stderr.flush()
    found = shutil.which(command[0], path=variables["PATH"])
    if found is None:
        fail(f"no command {command[0]} in the lab's environment", 127)
    home = lab_home.home()
    own = {"TMPDIR": str(private_tmp_of_this_process(home))}
    if project:
        os.chdir(ensure(home))
    os.execve(found, command, {**os.environ, **variables, **own})  # noqa: S606 - the user's own command, not a shell's


def logs(
    part: Annotated[
        str, typer.Argument(help="The process, as `fleet lab status` names it; default: list them.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on printing what is added; Ctrl-C ends it.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Begin so many lines from the end.")
    ] = 50,
) -> None:
    """Show the log of one process of the lab, or which logs there are.

    Examples:
      fleet lab logs
      fleet lab logs openbao -f

    """
    with told_errors():
        folder = lab_home.started_home().logs
    names = sorted(path.stem for path in folder.glob("*.log"))
    if not part:
        for name in names:
            typer.echo(f"{name:40} {(folder / f'{name}.log').stat().st_size:>12,} bytes")
        return
    if part not in names:
        fail(f"no log of {part}; there are: {', '.join(names) or 'none'}")
    path = folder / f"{part}.log"
    with path.open(errors="replace") as file:
        for line in file.readlines()[-lines:] if lines else ():
            typer.echo(line, nl=False)
        file.seek(0, os.SEEK_END)
        while follow:
            if added := file.read():
                typer.echo(added, nl=False)
            elif file.tell() > path.stat().st_size:
                file.seek(0)  # the janitor has emptied it
            else:
                time.sleep(_POLL_SECONDS)
