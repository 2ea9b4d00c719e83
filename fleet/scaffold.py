"""`fleet scaffold`: a gitops-config repo, or a service in it, out of the stack files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from typer.core import TyperGroup

from fleet.lint import stack_fleets
from fleet.options import (
    JsonOption,
    PlainHelp,
    StacksOption,
    YesOption,
    confirm,
    counted,
    fail,
    stack_names,
)

if TYPE_CHECKING:
    from gitops.scaffold.changes import Change
    from gitops.scaffold.run import Plan
    from gitops.scaffold.service import Secret
    from stacks.model.fleet import Fleet


class _WithDefault(TyperGroup):
    """`fleet scaffold DIR` is `fleet scaffold directory DIR`: a word that is no command is a directory."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["directory", *args]
        return super().resolve_command(ctx, args)


scaffold_app = typer.Typer(
    cls=_WithDefault,
    no_args_is_help=True,
    help="Write a gitops-config repo out of the stack files: `fleet scaffold DIR`; or one more service into it.",
)

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be written only.")]


ROLLOUTS = """\
note: a Rollout needs Argo Rollouts, which these stacks do not install on {spokes}. In the stack file:
  fleet:argoRollouts: {{manifest: <its install.yaml>}}, and `addons: [argo_rollouts]` in the block of each spoke
Then write in analysis-template.yaml where your Prometheus is: docs/canary.md"""
_NAMED = 3


@scaffold_app.command("directory", cls=PlainHelp)
def scaffold(
    directory: Annotated[
        Path, typer.Argument(help="The checkout, or a new directory.", metavar="DIR")
    ],
    stack: StacksOption = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="mono: all in one repo; multi: each team in its own; default: as fleet:teams has it."
        ),
    ] = None,
    team: Annotated[
        str | None, typer.Option(help="The repo of this team, which has one of its own.")
    ] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a gitops-config repo out of the stack files, or add what it lacks of them.

    The command's own word, `directory`, may be left out.

    A new one gets, for the clusters, environments and teams of the stacks:
      base/              namespaces, network policies, read-only access for the teams
      clusters/<name>/   what each cluster has
      apps/<service>/    base and overlays, for each service that a team without a repo names
      CODEOWNERS, README.md, pipelines for GitHub Actions and GitLab CI that run `fleet lint`

    Run again, it adds what the stack files have more since. What people have written stays: it changes lines of its own
    only, shows them first and asks. A file that people have changed where Fleet would too is left alone, and told; what
    people have deleted stays deleted; services are their teams', and never touched again. Nothing is deleted.

    With teams that have a `repo:` of their own (`--layout multi`), DIR is the central repo: base/, clusters/, and no
    services of those. Each team's own is written by --team.

    Exit codes: 0 written, or nothing to do; 1 something was left alone, or you said no; 2 bad input, nothing written.

    Examples:
      fleet scaffold ../gitops-config
      fleet scaffold ../gitops-config -s hub -s production --dry-run
      fleet scaffold ../payments-config --team payments

    --json prints one object: written, left [{path, why}], services. It asks nothing: say --yes or --dry-run.

    """
    from gitops.scaffold import run

    stacks = stack_fleets(stack or stack_names())
    with _told():
        _layout(layout, stacks, team)
        with _alone(directory, dry_run):
            plan = run.of_team(stacks, directory, team) if team else run.central(stacks, directory)
            _carry_out(plan, yes=yes, dry_run=dry_run, as_json=as_json)
    if not as_json and not team:
        _after(directory, stacks, plan)
    raise typer.Exit(1 if _left(plan) else 0)


@scaffold_app.command("service", cls=PlainHelp)
def service(
    name: Annotated[str, typer.Argument(help="The service: its namespace and its directory.")],
    directory: Annotated[
        Path, typer.Option("--in", help="The checkout that it goes into.", metavar="DIR")
    ],
    stack: StacksOption = None,
    team: Annotated[str | None, typer.Option(help="The team that it belongs to.")] = None,
    image: Annotated[
        str | None,
        typer.Option(help="Its image, with a tag or without; default: registry.example.com/NAME."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="ENVIRONMENT=TAG", help="A tag for one environment; may be repeated."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The port that it listens on.")
    ] = 8080,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=PATH:KEY,KEY",
            help="A secret of Vault: payment-db-credentials=payment-service/db:username,password.",
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="The store that reads it; default: the first of the stack's.")
    ] = None,
    canary: Annotated[
        bool,
        typer.Option(
            "--canary", help="A Rollout of Argo Rollouts, in steps, in the place of a Deployment."
        ),
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Write one more service: apps/NAME, and its namespace, network policies and owners where the platform keeps them.

    With --team it goes where that team's services are. In a team's own repo only the service is written: the
    namespace is the platform's, who names it under fleet:teams and runs `fleet scaffold` in the gitops-config repo.

    Exit codes: 0 written; 1 something else was left alone, or you said no; 2 bad input, nothing written.

    Examples:
      fleet scaffold service search --in ../gitops-config --image ghcr.io/acme/search:v1.0.0
      fleet scaffold service payment-service --team payments --in ../payments-config \
        --tag staging=v2.3.1-rc.1 --secret payment-db-credentials=payment-service/db:username,password

    --json prints one object: written, left [{path, why}], services. It asks nothing: say --yes or --dry-run.

    """
    from gitops.scaffold import run
    from gitops.scaffold.facts import Facts
    from gitops.scaffold.service import Service

    stacks = stack_fleets(stack or stack_names())
    called, _, its_tag = (image or "").rpartition("/")[2].partition(":")
    given = Service(
        name=name,
        image=(image or f"registry.example.com/{name}").removesuffix(f":{its_tag}"),
        **({"tag": its_tag} if called and its_tag else {}),
        tags=_tags(tag or [], list(Facts(stacks).environments)),
        port=port,
        secret=_secret(secret) if secret else None,
        store=store,
        canary=canary,
    )
    with _told(), _alone(directory, dry_run):
        plan = run.service(stacks, directory, given, team)
        _carry_out(plan, yes=yes, dry_run=dry_run, as_json=as_json)
    if canary and not as_json:
        _needs_rollouts(stacks)
    raise typer.Exit(1 if _left(plan) else 0)


def _needs_rollouts(stacks: dict[str, Fleet]) -> None:
    lacking = [
        spoke.name
        for fleet in stacks.values()
        for spoke in fleet.spokes
        if not fleet.has_argo_rollouts(spoke)
    ]
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        typer.echo(ROLLOUTS.format(spokes=f"{', '.join(lacking[:_NAMED])}{more}"))


@contextmanager
def _told() -> Iterator[None]:
    """Inside, what can't be done ends the command with a clear line."""
    from gitops.git import GitError
    from gitops.scaffold.facts import ScaffoldError

    try:
        yield
    except (GitError, ScaffoldError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def _alone(directory: Path, dry_run: bool) -> AbstractContextManager[None]:
    from gitops.scaffold import writing

    if dry_run:
        return nullcontext()
    writing.checkout(directory)
    return writing.alone(directory)


def _carry_out(plan: Plan, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    changed = [one for one in plan.writes if one.kind != "add"]
    if not as_json:
        _say(plan)
    if changed and not dry_run:
        confirm(
            f"Write {counted(len(plan.writes), 'file')}?",
            yes=yes,
            without="files that are there would be changed, and nobody is here to ask: say --yes, or --dry-run",
            declined="nothing was written",
        )
    if not dry_run:
        plan.write()
    if as_json:
        document = {
            "written": [] if dry_run else [one.path for one in plan.writes],
            **({"wouldWrite": [one.path for one in plan.writes]} if dry_run else {}),
            "left": [{"path": one.path, "why": one.kind} for one in _left_all(plan)],
            "services": list(plan.services),
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        verb = "would be written" if dry_run else "written"
        what = f"{counted(len(plan.writes), 'file')} {verb}" if plan.writes else "nothing to write"
        typer.echo(f"{plan.root}: {what}")


_WHY = {
    "edited": "was changed where Fleet would change it too; left alone. Fleet would have:",
    "deleted": "was deleted, and stays so",
    "unwanted": "is nothing that the stack files ask for any more; `git rm` it if you like",
}


def _say(plan: Plan) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for one in plan.changes:
        if one.kind == "add":
            console.print(f"+ {one.path}", markup=False)
    for one in plan.changes:
        if one.kind in ("update", "merge"):
            _diff(console, one)
        elif one.kind != "add":
            console.print(f"! {one.path} {_WHY[one.kind]}", markup=False)
            if one.kind == "edited":
                _diff(console, one)


def _diff(console: Console, one: Change) -> None:
    if console.is_terminal and not console.no_color:
        console.print(Syntax(one.diff(), "diff", background_color="default"))
    else:
        typer.echo(one.diff(), nl=False)


def _left(plan: Plan) -> list[Change]:
    return [one for one in plan.changes if one.kind == "edited"]


def _left_all(plan: Plan) -> list[Change]:
    return [one for one in plan.changes if one.after is None]


def _layout(layout: str | None, stacks: Any, team: str | None) -> None:
    from gitops.scaffold.facts import ScaffoldError

    teams = {one.name: one for fleet in stacks.values() for one in fleet.teams}
    apart = [one.name for one in teams.values() if one.repo]
    together = [one.name for one in teams.values() if not one.repo]
    if layout not in (None, "mono", "multi"):
        raise ScaffoldError(f'--layout "{layout}": write mono or multi')
    if layout == "mono" and (apart or team):
        raise ScaffoldError(
            f"--layout mono: by fleet:teams, {', '.join(apart) or team} has a repo of its own; take its `repo:` out, "
            "or leave --layout out"
        )
    if layout == "multi" and (together or not teams):
        raise ScaffoldError(
            "--layout multi: "
            + (
                f"{', '.join(together)} has no `repo:` under fleet:teams; write one, or leave --layout out"
                if together
                else "the stack files have no teams; write them under fleet:teams, each with its `repo:`"
            )
        )


def _after(directory: Path, stacks: Any, plan: Plan) -> None:
    from gitops.scaffold.wanted import MOST_SERVICES, MOST_TEAMS

    teams = {one.name: one for fleet in stacks.values() for one in fleet.teams}
    for one in teams.values():
        if one.repo:
            typer.echo(
                f"team {one.name}, {one.repo}: fleet scaffold <its checkout> --team {one.name}"
            )
    together = [one for one in teams.values() if not one.repo]
    if len(plan.services) > MOST_SERVICES or len(together) > MOST_TEAMS:
        typer.echo(
            f"note: {counted(len(plan.services), 'service')} and {counted(len(together), 'team')} in one repo. Beyond "
            f"{MOST_SERVICES} services or {MOST_TEAMS} teams, a repo for each team is easier: docs/teams.md"
        )


def _tags(given: list[str], environments: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        environment, equals, its = text.partition("=")
        if not (environment and equals and its):
            fail(f'--tag "{text}": write ENVIRONMENT=TAG, e.g. staging=v2.3.1-rc.1')
        if environment not in environments:
            fail(
                f'--tag "{text}": no service is deployed to "{environment}"; there are {", ".join(environments)}'
            )
        found[environment] = its
    return found


def _secret(given: str) -> Secret:
    from gitops.scaffold.service import Secret

    name, _, rest = given.partition("=")
    path, _, keys = rest.rpartition(":")
    parts = tuple(filter(None, keys.split(",")))
    if not (name and path and parts):
        fail(
            f'--secret "{given}": write NAME=PATH:KEY,KEY, e.g. '
            "payment-db-credentials=payment-service/db:username,password"
        )
    return Secret(name, path.strip("/"), parts)
