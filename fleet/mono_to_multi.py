"""`fleet migrate mono-to-multi`, `push` and `verify`: each team's services to a repo of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.lint import cache_folder, places, stack_fleets
from fleet.options import JsonOption, StacksOption, counted, fail, stack_names
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.model.fleet import Fleet, Team

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops.migration.record import Migration
    from live.applications import Application

GUIDE = "docs/teams.md"
POLL = 2.0
"""Seconds between two looks at the hub."""

TimeoutOption = Annotated[int, typer.Option(min=1, help="Seconds to wait for Argo CD.")]


def mono_to_multi(
    directory: Annotated[
        Path, typer.Argument(help="A checkout of the gitops-config repo.", metavar="DIR")
    ],
    into: Annotated[Path, typer.Option("--into", help="A new directory for the teams' repos.")],
    team: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=URL", help="A team, and the URL of its new repo; may be given again."
        ),
    ],
    stack: StacksOption = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Don't ask the hub which Applications there are now."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Split one gitops-config repo: each team gets its services, with their history, in a repo of its own.

    Nothing is pushed, and nothing changes in DIR, the stack files or on the hub. Under --into each team has a checkout:
    its services' commits, by git filter-repo, with whatever else their kustomizations name, and on top what
    `fleet scaffold --team` writes. Then it is proved that Argo CD would deploy the same from them: every directory is
    built before and after, and the same Applications must come out with the same objects, AppProject, namespace and
    ApplicationSet, but for repo and path. If not, it says what differs, and leaves nothing.

    What is done then, in this order, is printed at the end: push, the stack that owns the hub, the others, verify.

    Exit codes: 0 split and proved; 1 the hub can't be asked, or hasn't the Applications that it should; 2 it can't be
    split, nothing was left.

    Examples:
      fleet migrate mono-to-multi ../gitops-config --into ../split \
        --team payments=https://git.example.com/payments/config.git \
        --team identity=https://git.example.com/identity/config.git

    --json prints the record of the migration, which is also DIR/migration.json under --into.

    """
    from gitops.migration import split

    stacks = stack_fleets(stack or stack_names())
    repos = _repos(team)
    with _told():
        before = {} if offline else _live(stacks)
        found = split.split(
            directory, stacks, repos, into, cache_folder(), lambda text: typer.echo(text, err=True)
        )
    missing = [] if offline else _missing(found, before)
    record = _with_uids(found, before, into)
    if as_json:
        typer.echo((into / "migration.json").read_text(), nl=False)
    else:
        _say(record, into, stacks, bool(before))
    if missing:
        fail(
            f"the hub hasn't {some(missing)}, which these stacks make, as their sets and projects: run "
            f"`pulumi up`, and `fleet migrate teams`, before you go on: {GUIDE}",
            1,
        )


def push(
    directory: Annotated[
        Path, typer.Argument(help="What `fleet migrate mono-to-multi --into` made.", metavar="DIR")
    ],
) -> None:
    """Push each team's repo of a migration to where it shall be. Never by force; again, it pushes what isn't there yet.

    The repos must exist on their forge and be empty. All are looked at before anything is pushed.

    Exit codes: 0 all are there; 2 one can't be, and why.
    """
    from gitops.migration import remotes
    from gitops.migration.record import Migration

    with _told():
        found = Migration.read(directory)
        for name, said in remotes.push(directory, found).items():
            typer.echo(f"{name}: {said}")


def verify(
    directory: Annotated[
        Path, typer.Argument(help="What `fleet migrate mono-to-multi --into` made.", metavar="DIR")
    ],
    stack: StacksOption = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="A checkout of the one repo: has it newer commits on what moved?"
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Ask again until all is as it should be.")
    ] = False,
    timeout: TimeoutOption = 300,
    as_json: JsonOption = False,
) -> None:
    """Hold the hub and the repos against the record of a migration: is every Application still the same one?

    Of each Application: it exists, and is the very one of before (by its UID, where that is on record); it deploys from
    the repo and path that it should, by the same set and AppProject, into the same namespace; it is Synced to the
    newest commit there, and Healthy. Of each team's repo: it is there, and still has the commit that was split. With
    --from: nobody has changed in the one repo since then what has moved.

    Exit codes: 0 all of it; 1 not, and what; 2 bad input, or the hub can't be reached.

    Examples:
      fleet migrate verify ../split --from ../gitops-config --wait

    --json prints one object: ok, and problems [text].

    """
    from gitops.migration import remotes
    from gitops.migration.record import Migration

    stacks = stack_fleets(stack or stack_names())
    with _told():
        record = Migration.read(directory)
        end = time.monotonic() + timeout
        while True:
            problems = remotes.problems(directory, source, record)
            if not problems:
                problems = _problems(record, _live(stacks), remotes.heads(directory, record))
            if not (problems and wait) or time.monotonic() > end:
                break
            time.sleep(POLL)
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": problems}, indent=2))
    else:
        for one in problems:
            typer.echo(one)
        total, moved = len(record.applications), sum(bool(one.team) for one in record.applications)
        typer.echo(
            counted(len(problems), "problem")
            if problems
            else f"all {total} Applications are those of before, Synced and Healthy; {moved} from the teams' repos"
        )
    raise typer.Exit(1 if problems else 0)


@contextmanager
def _told() -> Iterator[None]:
    """Inside, what can't be done ends the command with a clear line."""
    from gitops.git import GitError
    from gitops.kustomize import KustomizeError
    from gitops.migration.record import MigrationError
    from gitops.scaffold.facts import ScaffoldError
    from gitops.tree import TreeError
    from live.cluster_api import Unreachable

    try:
        yield
    except (GitError, KustomizeError, MigrationError, ScaffoldError, TreeError) as error:
        fail(str(error))
    except Unreachable as error:
        fail(f"the hub: {error}; --offline does without, where there is such an option")


def _repos(given: list[str]) -> dict[str, str]:
    found = {}
    for name, url in places(
        given, "NAME=URL", "payments=https://git.example.com/payments.git"
    ).items():
        try:
            Team.model_validate({"name": name, "namespaces": ["x"], "repo": url})
        except ValueError:
            fail(f'--team "{name}={url}": {url} is no repo as Argo CD clones it')
        found[name] = url
    return found


def _live(stacks: dict[str, Fleet]) -> dict[str, Application]:
    """The Applications of these stacks' hub. Raises Unreachable."""
    from live import applications
    from live.cluster_api import ClusterAPI

    fleet = next(iter(stacks.values()))
    try:
        api = ClusterAPI(Kubeconfig.read(), fleet.hub.context)
    except KubeconfigError as error:
        fail(f"{error}; --offline does without, where there is such an option")
    return applications.read(api, fleet.argocd.namespace)


def _missing(record: Migration, before: dict[str, Application]) -> list[str]:
    return [
        one.name
        for one in record.applications
        if (now := before.get(one.name)) is None or (now.set, now.project) != (one.set, one.project)
    ]


def _with_uids(record: Migration, before: dict[str, Application], into: Path) -> Migration:
    named = {one.name for one in record.applications}
    found = replace(record, uids={name: one.uid for name, one in before.items() if name in named})
    found.write(into)
    return found


def _problems(
    record: Migration, now: dict[str, Application], heads: Mapping[str, str]
) -> list[str]:
    repos = {one.team: one.repo for one in record.teams}
    found = []
    for wanted in record.applications:
        one = now.get(wanted.name)
        if one is None:
            found.append(f"{wanted.name}: is gone")
            continue
        known = record.uids.get(wanted.name)
        if known and one.uid != known:
            found.append(f"{wanted.name}: was deleted and made anew")
        if wanted.team and one.repo != repos[wanted.team]:
            found.append(
                f"{wanted.name}: deploys from {one.repo}, not yet from {repos[wanted.team]}"
            )
            continue
        for what, is_now, should in (
            ("path", one.path, wanted.path),
            ("ApplicationSet", one.set, wanted.set),
            ("AppProject", one.project, wanted.project),
            ("namespace", one.namespace, wanted.namespace),
        ):
            if is_now != should:
                found.append(f'{wanted.name}: its {what} is "{is_now}", and was to be "{should}"')
        if not one.synced or not one.healthy:
            why = f": {one.trouble}" if one.trouble else ""
            found.append(f"{wanted.name}: is not yet Synced and Healthy{why}")
        elif wanted.team and one.revision != heads[wanted.team]:
            found.append(
                f"{wanted.name}: is Synced to {one.revision[:8]}, and the newest there is {heads[wanted.team][:8]}"
            )
    return found


def _say(record: Migration, into: Path, stacks: dict[str, Fleet], asked: bool) -> None:
    moved = [one for one in record.applications if one.team]
    for one in record.teams:
        typer.echo(f"{into / one.directory}: {counted(len(one.services), 'service')} of {one.team}")
        if one.shared:
            more = " …" if len(one.shared) > 3 else ""
            typer.echo(
                f"  with a copy of {', '.join(one.shared[:3])}{more}, which they are made of"
            )
    typer.echo(
        f"proved: the same {counted(len(record.applications), 'Application')} with the same objects, {len(moved)} of "
        "them from another repo"
    )
    if asked:
        typer.echo(f"on record: which {counted(len(record.uids), 'Application')} the hub has now")
    owner = [name for name, fleet in stacks.items() if fleet.owns_hub]
    others = [name for name in stacks if name not in owner]
    order = " then ".join([*owner, ", ".join(others)] if owner and others else [*owner, *others])
    entries = "".join(f"\n         {one.team}: repo: {one.repo}" for one in record.teams)
    typer.echo(
        f"""
Next, in this order ({GUIDE}):
  1. Make the repos on your forge, empty, and let Argo CD read them. Then: fleet migrate push {into}
  2. From here on nobody changes these services in the one repo.
     In every stack file, under fleet:teams:{entries}
  3. pulumi up: {order}
  4. fleet migrate verify {into} --from <the checkout of the one repo> --wait
  5. Take the services out of the one repo:
     git rm -r {" ".join(sorted({one.path.rpartition("/overlays/")[0] for one in moved}))}"""
    )


def some(names: list[str]) -> str:
    """A few of these names."""
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
