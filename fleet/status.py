"""`fleet status`: stack file → facts → verdict → tables or JSON."""

from __future__ import annotations

from pathlib import Path

import typer

from fleet.expected import expected_of
from fleet.handover import Verdict, judge
from fleet.observe import Observer
from fleet.options import fail
from fleet.render import as_json as to_json
from fleet.render import as_tables, console
from fleet.watch import watch
from stacks.loading.kubeconfig import KubeconfigError
from stacks.loading.load import load_file
from stacks.model.errors import StackError


def show_status(
    stack: str,
    *,
    wait: bool = False,
    timeout: float = 300,
    interval: float = 2,
    every_application: bool = False,
    as_json: bool = False,
    root: Path | None = None,
) -> int:
    """Ask the fleet of `stack` how it is, print it, and return the exit code: 0 good, 1 not good, 2 no answer."""
    try:
        fleet = load_file(stack, root)
        observer = Observer(fleet)
    except (StackError, KubeconfigError) as error:
        hint = ""
        if "environment variable" in str(error):
            hint = "\nThe lab's own variables are set by `fleet lab status`, `fleet lab shell` and `fleet lab run`."
        fail(f"{error}{hint}")
    expected = expected_of(fleet, stack)

    def ask() -> Verdict:
        return judge(expected, *observer.ask())

    out = console()
    progress = console(stderr=True) if as_json else out
    verdict = watch(ask, progress, timeout=timeout, interval=interval) if wait else ask()
    if as_json:
        typer.echo(to_json(verdict, stack))
    else:
        out.print(as_tables(verdict, out, every_application=every_application))
    return verdict.exit_code
