"""`fleet audit`: who let this run, and can it be proved?"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.lint import stack_fleets
from fleet.options import JsonOption, StacksOption, counted, fail, stack_names
from fleet.promote import EnvironmentOption, told
from fleet.rollback import ServiceArgument

if TYPE_CHECKING:
    from fleet.releases.auditing import Link


def audit(
    service: ServiceArgument,
    environment: EnvironmentOption,
    cluster: Annotated[
        str | None, typer.Option(help="This cluster only; default: all that have it.")
    ] = None,
    stack: StacksOption = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line for each link.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Follow a service's image from the running Pod to the commit, the pull request, its approvals, gates and build.

    Of each cluster and image, these links, out of Kubernetes, Argo CD, git and the forge:
      pods          all containers of this image have this very version (and digest, where one is known)
      application   Argo CD has it Synced
      revision      the commit that Argo CD synced is on the branch
      commit        the commit that brought the version to the branch
      pipeline      Fleet's trailers in it, about this very version; a hand on the tag has none
      pull request  the merged one that brought the commit, or CI's own push
      approval      somebody other than its author approved what was merged
      gates         the commit statuses promotion/*, all success
      build         the run that built it; of a rollback, the commit that it goes back to

    Trailers can be forged by whoever may push; the pull request, its approvals and gates are the forge's word. So
    protect the branch, and ask for the gates there.

    Exit codes: 0 the chain is whole; 1 a link is missing, or somebody doesn't answer; 2 bad input.

    Examples:
      fleet audit payment-service --environment production
      fleet audit payment-service -e production --cluster prod-eu-west-1 --csv > audit.csv

    --json prints one object: whole, and links [{service, environment, cluster, image, link, found, holds, why}].

    """
    if as_csv and as_json:
        fail("--csv or --json, not both")
    fleets = stack_fleets(stack or stack_names())
    with told():
        from fleet.releases import auditing
        from fleet.releases.desk import Desk

        with Desk(fleets) as desk:
            links = auditing.audit(desk, service, environment, cluster)
    whole = all(one.holds for one in links)
    if as_json:
        typer.echo(json.dumps({"whole": whole, "links": [asdict(one) for one in links]}, indent=2))
    elif as_csv:
        _csv(links)
    else:
        _say(links)
    raise typer.Exit(0 if whole else 1)


def _csv(links: list[Link]) -> None:
    names = [one.name for one in fields(links[0])]
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    for one in links:
        writer.writerow([_cell(getattr(one, name)) for name in names])


def _cell(value: object) -> str:
    """A value that no spreadsheet takes for a formula: much of it comes out of git."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _say(links: list[Link]) -> None:
    from fleet.releases.plain import plain

    shown = ("", "")
    for one in links:
        if (one.cluster, one.image) != shown:
            shown = (one.cluster, one.image)
            typer.echo(f"{one.service} in {one.environment} on {one.cluster}: {one.image}")
        mark = "ok     " if one.holds else "MISSING"
        tail = f" ({one.why})" if one.why and one.found else one.why
        # Much of it is other people's text, which may hold what moves a terminal's cursor.
        typer.echo(plain(f"  {mark} {one.link:<13} {one.found}{tail}".rstrip()))
    missing = sum(not one.holds for one in links)
    typer.echo("the chain is whole" if not missing else f"{counted(missing, 'link')} missing")
