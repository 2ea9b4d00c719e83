"""`fleet lab`: a whole fleet on this machine. Thin, over the functions of `lab`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from fleet import lab_home, lab_shell
from fleet.lab_home import told_errors
from fleet.options import PlainHelp, YesOption, confirm, fail
from fleet.render import console, heading, table

if TYPE_CHECKING:
    from lab.home import LabHome
    from lab.processes import PartState

NameArgument = Annotated[
    str, typer.Argument(help="The cluster's name, which is also its kubeconfig context.")
]

lab_app = typer.Typer(
    help="A real fleet on this machine, no containers: hub, spokes, Argo CD, External Secrets, OpenBao, git forge.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
lab_app.command("env", cls=PlainHelp)(lab_shell.env)
lab_app.command("shell", cls=PlainHelp)(lab_shell.shell)
lab_app.command(
    "run",
    cls=PlainHelp,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(lab_shell.run)
lab_app.command("logs", cls=PlainHelp)(lab_shell.logs)


@lab_app.command(cls=PlainHelp)
def up(
    timeout: Annotated[
        float, typer.Option(min=0, help="Give up waiting for the handover after so many seconds.")
    ] = 300,
    topology: Annotated[
        str,
        typer.Option(
            help="Of a new lab: `single`, one stack for all, or `split`, a stack for the hub and one per environment."
        ),
    ] = "",
    deploy: Annotated[
        bool,
        typer.Option(
            "--deploy/--no-deploy",
            help="Whether to deploy the lab's stacks; without, Argo CD and External Secrets of your own stack start.",
        ),
    ] = True,
) -> None:
    """Start the lab, deploy its stacks onto it, and watch until Argo CD has taken over.

    Tools are taken from PATH or the cache, or built (the first time, half an hour). What runs already is left
    alone, what died is restarted: run it again at any time. The lab keeps running; FLEET_LAB names its folder,
    FLEET_LAB_TTL how long it lives (12h). A lab keeps the topology that it was first started with.

    Exit codes: 0 all good; 1 something failed or isn't good yet (the end of the output says what).

    Examples:
      fleet lab up
      fleet lab up --topology split
      fleet lab up --no-deploy   # clusters, Vault and forge for a stack of your own; again after its `pulumi up`

    """
    out = console()
    with told_errors():
        code = _up(out, timeout, topology or None, deploy)
    raise typer.Exit(code)


def _up(out: Console, timeout: float, topology: str | None, deploy: bool) -> int:
    from lab.report import Reporter
    from lab.up import up as start

    reporter, home = Reporter(console(markup=True)), lab_home.home()
    with reporter.phase("tools", spinner=False):
        toolbox = lab_home.tools()
    outcome = start(home, toolbox, reporter, topology=topology, deploys=deploy)
    lab_home.enter()
    code, timings = 0, reporter.timings
    if deploy:
        begun = time.monotonic()
        # With a failed `pulumi up` not all can become good; the rest gets a moment to.
        code = _fleet_status(out, home, wait=min(timeout, 30) if outcome.problems else timeout)
        timings = {**timings, "handover": time.monotonic() - begun}
    _timings(out, timings, outcome.plugins)
    for problem in outcome.problems:
        out.print(problem, style="red")
    shell = "make lab-shell" if Path("Makefile").exists() else "fleet lab shell"
    out.print(
        f"\nNext: {shell}   a shell in which pulumi, kubectl, argocd and bao work against the lab"
    )
    out.print(f"      {home.kubeconfig}   the kubeconfig, a context per cluster")
    out.print(f"      {shell.replace('shell', 'down')}   stop it; `fleet lab up` brings it back")
    return 1 if outcome.problems or code else 0


def _timings(out: Console, timings: dict[str, float], plugins: list[tuple[str, str, str]]) -> None:
    rows = table(out, "Phase", "Seconds")
    for name, seconds in timings.items():
        rows.add_row(name, f"{seconds:7.1f}")
    out.print()
    out.print(heading("How long it took"))
    out.print(rows)
    said = ", ".join(f"{name} {version} ({origin})" for name, version, origin in plugins)
    out.print(f"Pulumi plugins: {said}")


@lab_app.command(cls=PlainHelp)
def down(
    wipe: Annotated[
        bool,
        typer.Option("--wipe", help="Also delete all its state: clusters, Vault, repos, stack."),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Stop every process of the lab; its state stays, unless --wipe.

    Examples:
      fleet lab down
      fleet lab down --wipe --yes

    """
    with told_errors():
        from lab.shutdown import down as stop

        home = lab_home.home()
        if not home.root.exists():
            typer.echo(f"No lab in {home.root}.")
            return
        if wipe and home.is_lab():  # else `stop` refuses, with its own words
            entries = ", ".join(sorted(entry.name for entry in home.root.iterdir())) or "nothing"
            typer.echo(f"Deletes {home.root} for good: {entries}")
            confirm(
                "Delete all this?", yes=yes, without="there is no terminal to ask on; add --yes"
            )
        stopped = stop(home, wipe=wipe)
        typer.echo(f"Stopped {len(stopped)} processes." if stopped else "Nothing was running.")
        if wipe:
            typer.echo(f"Deleted {home.root}.")


@lab_app.command(cls=PlainHelp)
def status() -> None:
    """Show the lab's processes, then the fleet as `fleet status` shows it, for each of the lab's stacks.

    Exit codes: 0 all processes run and the fleet is good; 1 a process died or the fleet isn't good; 2 the hub
    can't be reached.
    """
    with told_errors():
        from lab.up import status as ask

        out = console()
        home = lab_home.started_home()
        parts = ask(home)
        if all(part.state == "not started" for part in parts):
            fail("the lab is stopped; start it: fleet lab up", 1)
        died = _show_parts(out, home, parts)
        lab_home.enter()
        code = _fleet_status(out, home)
    raise typer.Exit(code or (1 if died else 0))


def _show_parts(out: Console, home: LabHome, parts: list[PartState]) -> bool:
    """The table of processes; whether one of them died."""
    out.print(heading(f"Lab in {home.root}"))
    rows = table(out, "Process", "Pid", "State")
    for part in parts:
        style = {"running": "green", "died": "red"}.get(part.state, "yellow")
        rows.add_row(part.name, str(part.pid or ""), Text(part.state, style=style))
    out.print(rows)
    out.print()
    died = [part for part in parts if part.state == "died"]
    for part in died:
        out.print(f"{part.name} died: {part.hint} (log: {part.log})", style="red")
    if died:
        out.print("`fleet lab up` restarts what died.\n")
    return bool(died)


@lab_app.command("add-cluster", cls=PlainHelp)
def add_cluster(name: NameArgument) -> None:
    """Start one more, empty cluster beside the running ones, for a spoke to be onboarded onto.

    Example:
      fleet lab add-cluster prod-us-west-2

    """
    with told_errors():
        from lab.clusters import add_cluster as add
        from lab.context import Lab
        from lab.project import stack_file
        from lab.report import Reporter
        from lab.topology import topology_of

        out = console()
        reporter = Reporter(console(markup=True))
        lab = Lab(lab_home.started_home(), lab_home.tools(), reporter)
        with reporter.phase(f"cluster {name}"):
            add(lab, name)
        stack = topology_of(lab.home).stack_of("production")
        out.print(
            f"\nNext: add it to {stack_file(lab.home, stack)} under fleet:spokes, then run `fleet lab up`:"
        )
        out.print(f"    - name: {name}\n      environment: production\n      region: us-west-2")


@lab_app.command("add-repo", cls=PlainHelp)
def add_repo(
    name: Annotated[
        str, typer.Argument(help="The repo's name; it is one of the organization platform.")
    ],
) -> None:
    """Make one more, empty repo on the lab's forge, for a team of its own: `fleet migrate push` fills it.

    It is public, and Argo CD is told of each push to it. Prints its URL.

    Example:
      fleet lab add-repo payments-config

    """
    with told_errors():
        from lab import forge

        home = lab_home.started_home()
        with forge.client(home) as api:
            forge.ensure_repo(api, name)
        typer.echo(forge.repo_url(home, name))


@lab_app.command("remove-cluster", cls=PlainHelp)
def remove_cluster(name: NameArgument, yes: YesOption = False) -> None:
    """Stop a cluster and delete its state. Take its spoke out of the stack first.

    Example:
      fleet lab remove-cluster prod-us-west-2

    """
    with told_errors():
        from lab.clusters import remove_cluster as remove
        from lab.context import Lab
        from lab.report import Reporter

        home = lab_home.started_home()
        confirm(
            f"Delete the cluster {name} with all that is in it?",
            yes=yes,
            without="add --yes to delete it",
        )
        remove(Lab(home, lab_home.tools(), Reporter(console(markup=True))), name)
        typer.echo(f"Removed {name}.")


def _fleet_status(out: Console, home: LabHome, *, wait: float | None = None) -> int:
    """Show each stack's fleet, at once or, in `wait` seconds in all, once it is good; the worst exit code."""
    from fleet.status import show_status
    from lab.topology import topology_of

    stacks = topology_of(home).stacks
    end = time.monotonic() + (wait or 0)
    worst = 0
    for stack in stacks:
        if len(stacks) > 1:
            out.print()
            out.print(heading(f"Stack {stack}"))
        left = max(0.0, end - time.monotonic())
        code = show_status(stack, wait=wait is not None, timeout=left, root=home.project)
        worst = max(worst, code)
    return worst
