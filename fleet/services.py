"""`fleet services`: which version of which service is where, and who has brought it there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.lint import stack_fleets
from fleet.options import JsonOption, StacksOption, counted, fail, stack_names
from fleet.promote import told

if TYPE_CHECKING:
    from fleet.releases.desk import Desk


def services(
    service: Annotated[str | None, typer.Argument(help="This one only.", metavar="SERVICE")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", help="This one only.", metavar="E")
    ] = None,
    stack: StacksOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="What git says only; don't ask the hub.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page for a browser here, whole in itself.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every service on every cluster: version, commit, sync, health, age, who promoted it, how far behind.

    Over all repos, the central one and the teams'. The version is that of the overlay's `images:`; its commit is the
    one by which the branch got it; "behind" counts the versions that the environment it is promoted from has had since.
    Beside it stands what Argo CD says; where the hub doesn't answer, there is a warning, and what git says.

    Exit codes: 0 shown; 1 a repo doesn't answer; 2 bad input.

    Examples:
      fleet services
      fleet services payment-service --environment production --json
      fleet services --html services.html

    --json prints a list with an object for each cell.

    """
    fleets = stack_fleets(stack or stack_names())
    with told():
        from fleet.releases import survey
        from fleet.releases.desk import Desk

        with Desk(fleets) as desk:
            asked = not offline and _answers(desk)
            cells = survey.survey(desk, environment, service, ask_hub=asked)
    if not cells and (service or environment):
        fail(
            f"nothing of {' in '.join(filter(None, (service, environment)))} is deployed by these stacks"
        )
    now = datetime.now(UTC)
    if html:
        from fleet.releases.page import page

        text = page(cells, title="Services", asked_hub=asked, at=now)
        try:
            html.write_text(text)
        except OSError as error:
            fail(f"--html {html}: {error.strerror}")
        typer.echo(f"{html}: {counted(len(cells), 'cell')}", err=as_json)
    if as_json:
        from fleet.releases.as_json import to_json

        typer.echo(json.dumps(to_json(cells), indent=2))
    elif not html:
        from fleet.releases.table import table
        from fleet.render import console

        out = console()
        out.print(table(cells, out, at=now))


def _answers(desk: Desk) -> bool:
    from live.cluster_api import Unreachable
    from stacks.loading.kubeconfig import KubeconfigError

    try:
        desk.running()
    except (Unreachable, KubeconfigError) as error:
        typer.echo(f"warning: the hub isn't asked, this is what git says: {error}", err=True)
        return False
    return True
