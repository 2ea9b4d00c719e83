"""`fleet promote`: a version moves on, without a hand on a tag."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fleet.durations import seconds
from fleet.lint import stack_fleets
from fleet.options import JsonOption, StacksOption, counted, fail, stack_names

if TYPE_CHECKING:
    from fleet.releases.outcome import Outcome

_ADDRESS = re.compile(r"https?://[!-~]{1,500}")
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done only.")]
EnvironmentOption = Annotated[
    str, typer.Option("--environment", "-e", help="The environment.", metavar="E")
]


def promote(
    service: Annotated[
        str | None, typer.Argument(help="The service; none with --all.", metavar="SERVICE")
    ] = None,
    to: Annotated[str, typer.Option("--to", help="The environment that gets it.")] = "",
    image: Annotated[
        str | None,
        typer.Option(help="The image that CI has built: registry/name:tag, or with its digest."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="The environment that has proved it.")
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="All services that may move, in one pull request; with --from."),
    ] = False,
    team: Annotated[str | None, typer.Option(help="With --all: the services of this team.")] = None,
    build: Annotated[str, typer.Option(help="Address of the run that built it.")] = "",
    tested: Annotated[
        str, typer.Option(help="Address of the run in which the integration tests passed.")
    ] = "",
    soak: Annotated[
        str,
        typer.Option(help="For how long --from shall have run it: 30m, 2h; default: no such gate."),
    ] = "",
    stack: StacksOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Move a service's version into an environment: CI's own, or what another environment has proved.

    With --image, for CI: the overlay's tag or digest is changed and pushed; every other byte stays. Not to a protected
    environment. Whoever pushes meanwhile, it is done anew on top of that. The same again changes nothing.

    With --from: a pull request, that people approve. First every Application of the service in --from, found by label
    and path on the hub, must be Synced and Healthy with that very image, at the newest commit of the service; else it
    is refused. The pull request changes images only, as kustomize shows, and has commit statuses for branch rules:
      promotion/source-healthy   set by this command
      promotion/integration      success with --tested, else pending
      promotion/soak             with --soak; pending until --from has run it for so long
    Run it again, and it sets what has changed. There is one pull request per service and environment: an older one of
    Fleet's own is closed. One that a person has closed stays closed until there is another image.

    A version on hold, since `fleet rollback`, isn't moved: `fleet hold` lifts it.

    Needs git, with --from also kustomize and the hub's context, and a token of the forge: FLEET_FORGE_TOKEN, else
    GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN. git uses it too, for repos by https.

    Exit codes: 0 done, or nothing to do; 1 a gate, a hold, a person or the forge is against it; 2 bad input.

    Examples:
      fleet promote payment-service --image ghcr.io/acme/payment-service:v2.3.1-rc.1 --to staging
      fleet promote payment-service --from staging --to production --tested https://ci.example.com/runs/41 --soak 1h
      fleet promote --all --from staging --to production

    --json prints a list: service, environment, done (pushed, opened, updated, open, nothing, refused), message, moves
    [{name, before, after}], url, commit, warnings.

    """
    if not to:
        fail("say where to: --to ENVIRONMENT")
    if bool(image) == bool(source):
        fail("say what to promote: either --image REF, or --from ENVIRONMENT")
    if bool(service) == every:
        fail("name a service, or say --all")
    if every and image:
        fail("--all goes with --from: an image is one service's")
    for option, address in (("--build", build), ("--tested", tested)):
        if address and not _ADDRESS.fullmatch(address):
            fail(f"{option} is no address: write https://… of the run")
    if image and (soak or team):
        fail("--soak and --team go with --from")
    try:
        wait = seconds(soak) if soak else 0
    except ValueError as error:
        fail(f"--soak: {error}")
    fleets = stack_fleets(stack or stack_names())
    with told():
        from fleet.releases import promoting
        from fleet.releases.desk import Desk
        from gitops.releases.images import Image

        given = promoting.Evidence(build=build, tested=tested, soak=wait)
        with Desk(fleets) as desk:
            if image:
                assert service
                wanted = Image.parse(image)
                if dry_run:
                    fail("--dry-run goes with --from")
                outcomes = [promoting.direct(desk, service, wanted, to, given)]
            else:
                assert source
                names = [service] if service else promoting.services_of(desk, source, to, team)
                outcomes = promoting.by_pull_request(
                    desk, names, source, to, given, together=every, dry_run=dry_run
                )
    say(outcomes, as_json=as_json)


@contextmanager
def told() -> Iterator[None]:
    """Inside, what can't be done ends the command with a clear line."""
    from fleet.releases.where import BadInput, ReleaseError
    from forges.forge import ForgeError
    from gitops.git import GitError
    from gitops.kustomize import KustomizeError
    from gitops.releases.holds import HoldError
    from gitops.releases.images import ImagesError
    from live.cluster_api import Unreachable
    from stacks.loading.kubeconfig import KubeconfigError

    try:
        yield
    except (BadInput, KustomizeError, KubeconfigError, ImagesError) as error:
        fail(str(error))
    except (ReleaseError, HoldError, ForgeError, GitError) as error:
        fail(str(error), 1)
    except Unreachable as error:
        fail(
            f"the hub doesn't answer as it should: {error}; is its context in the kubeconfig the right one?",
            1,
        )
    except OSError as error:
        fail(f"{error.filename or 'this machine'}: {error.strerror}", 1)


def say(outcomes: Sequence[Outcome], *, as_json: bool) -> NoReturn:
    """Print how it went, and end the command."""
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in outcomes], indent=2))
    else:
        for one in outcomes:
            mark = "refused: " if one.done == "refused" else ""
            typer.echo(f"{one.service} in {one.environment}: {mark}{one.message}")
            for warning in one.warnings:
                typer.echo(f"warning: {warning}", err=True)
        if len(outcomes) > 1:
            moved = sum(one.done in ("pushed", "opened", "updated", "open") for one in outcomes)
            refused = sum(not one.good for one in outcomes)
            typer.echo(f"{counted(moved, 'service')} on the way, {refused} refused")
    raise typer.Exit(0 if all(one.good for one in outcomes) else 1)
