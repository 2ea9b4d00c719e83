"""`fleet rollback` and `fleet hold`: a version moves back, and stays there until a person says otherwise."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.lint import stack_fleets
from fleet.options import JsonOption, StacksOption, stack_names
from fleet.promote import DryRunOption, EnvironmentOption, say, told

ServiceArgument = Annotated[str, typer.Argument(help="The service.", metavar="SERVICE")]
NowOption = Annotated[
    bool, typer.Option("--now", help="Push, without a pull request, where branch rules let you.")
]


def rollback(
    service: ServiceArgument,
    environment: EnvironmentOption,
    to: Annotated[
        str,
        typer.Option(
            metavar="COMMIT|TIME",
            help='A commit, or a time ("2026-11-20 14:00", this machine\'s); default: what it had before.',
        ),
    ] = "",
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "rolled back",
    now: NowOption = False,
    stack: StacksOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Bring back what an environment ran before, by a revert in git; Argo CD does the rest.

    Without --to, the last change of the service's images is undone: by git's own revert where that commit changed
    nothing else than this overlay, else image by image. With --to, the images become what they were at that commit or
    time: on the branch, so after its merge, and from git alone. Nothing but this service moves.

    What ran until now is put on hold (.fleet/holds/ in the repo): `fleet promote` refuses it there, until
    `fleet hold SERVICE --environment E --lift`. Fleet's own open pull requests for the service there are closed.

    It opens a pull request; with --now it pushes. Run again it finds what it did. To undo a rollback, lift the hold and
    promote again.

    Exit codes: 0 done, or nothing to do; 1 it can't be done, and why; 2 bad input.

    Examples:
      fleet rollback payment-service --environment production
      fleet rollback payment-service -e production --now --reason "error rate, incident 812"
      fleet rollback payment-service -e production --to "2026-11-20 14:00"

    """
    fleets = stack_fleets(stack or stack_names())
    with told():
        from fleet.releases import rolling_back
        from fleet.releases.desk import Desk

        with Desk(fleets) as desk:
            done = rolling_back.roll_back(
                desk, service, environment, to, reason, now=now, dry_run=dry_run
            )
    say([done], as_json=as_json)


def hold(
    service: ServiceArgument,
    environment: EnvironmentOption,
    image: Annotated[
        str, typer.Option(help="This image; default: what the environment has, with --lift all.")
    ] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Let it be promoted again.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "held by hand",
    now: NowOption = False,
    stack: StacksOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep `fleet promote` from bringing an image to an environment, or let it again with --lift.

    It opens a pull request; with --now it pushes. Nothing that runs changes.

    Exit codes: 0 done, or nothing to do; 1 it can't be done, and why; 2 bad input.

    Examples:
      fleet hold payment-service -e production --image ghcr.io/acme/payment-service:v2.3.1 --reason "incident 812"
      fleet hold payment-service -e production --lift --now

    """
    fleets = stack_fleets(stack or stack_names())
    with told():
        from fleet.releases import rolling_back
        from fleet.releases.desk import Desk

        with Desk(fleets) as desk:
            done = rolling_back.set_hold(
                desk, service, environment, image, reason, lift=lift, now=now
            )
    say([done], as_json=as_json)
