"""The split: each team's services out of the one repo, with their history, into a repo of the team's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gitops import git
from gitops.kustomize import Kustomize
from gitops.migration import proof
from gitops.migration.record import Migration, MigrationError, TeamRepo
from gitops.scaffold import run as scaffold
from gitops.tree import Tree
from stacks.desired.projects import is_among
from stacks.desired.sets import MAIN, TeamSet, every
from stacks.model.errors import did_you_mean
from stacks.model.fleet import Fleet, Team

Say = Callable[[str], None]


def split(
    source: Path,
    stacks: Mapping[str, Fleet],
    repos: Mapping[str, str],
    into: Path,
    cache: Path | None,
    say: Say,
) -> Migration:
    """Split the checkout `source` for the teams in `repos`, each with the URL of its new repo, into new directories.

    Nothing of `source` is changed, nothing is pushed; a run that fails leaves nothing in `into`. Raises MigrationError,
    git.GitError, KustomizeError, TreeError.
    """
    teams = _teams(stacks, repos)
    if into.exists() and any(into.iterdir()):
        raise MigrationError(f"{into} has something in it already; name a new directory by --into")
    branch, revision = _checked(source, stacks, teams)
    into.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=into.parent, prefix=f".{into.name}-"))
    try:
        # As it is committed: what lies in the checkout beside that, nobody deploys.
        whole = work / ".whole"
        _clone(source, whole, branch)
        before = Tree.at(whole)
        made = []
        for team in teams.values():
            say(f"{team.name}: splitting")
            made.append(_split(source, before, team, work, stacks, repos))
        after = {
            one.team: Tree.of_team(work / one.directory, one.team, teams[one.team].path)
            for one in made
        }
        say("comparing what Argo CD would deploy before and after")
        found = proof.same(stacks, moved(stacks, repos), before, after, cache)
        migration = Migration(
            repo=next(iter(stacks.values())).gitops.repo,
            branch=branch,
            revision=revision,
            teams=tuple(made),
            applications=tuple(found),
            uids={},
        )
        shutil.rmtree(whole)
        migration.write(work)
        if into.exists():
            into.rmdir()
        work.rename(into)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return migration


def moved(stacks: Mapping[str, Fleet], repos: Mapping[str, str]) -> dict[str, Fleet]:
    """The stacks as they will be, once these teams have these repos."""
    return {
        stack: fleet.model_copy(
            update={
                "teams": [
                    team.model_copy(update={"repo": repos.get(team.name, team.repo)})
                    for team in fleet.teams
                ]
            }
        )
        for stack, fleet in stacks.items()
    }


def services(tree: Tree, team: Team) -> list[str]:
    """The services of a team that a tree has, sorted."""
    return [
        name
        for name, overlays in tree.services(team.path).items()
        if overlays and is_among(name, team.namespaces)
    ]


def _teams(stacks: Mapping[str, Fleet], repos: Mapping[str, str]) -> dict[str, Team]:
    known = {team.name: team for fleet in stacks.values() for team in fleet.teams}
    if not known:
        raise MigrationError(
            "these stacks have no teams, so nothing says whose which service is; write them under fleet:teams first: "
            "docs/teams.md"
        )
    if len(set(repos.values())) < len(repos):
        raise MigrationError("two teams can't have one repo; give each its own")
    for name, url in repos.items():
        if name not in known:
            raise MigrationError(f'these stacks have no team "{name}"{did_you_mean(name, known)}')
        has = known[name].repo
        if has:
            raise MigrationError(
                f'team "{name}" has a repo of its own already, {has}; split before it is in the stack files, and leave '
                "teams that have moved out"
            )
        if url in {fleet.gitops.repo for fleet in stacks.values()}:
            raise MigrationError(f'{url} is the gitops-config repo itself; "{name}" needs another')
    return {name: known[name] for name in repos}


def _checked(
    source: Path, stacks: Mapping[str, Fleet], teams: Mapping[str, Team]
) -> tuple[str, str]:
    """The branch that is split, and its commit, once it is the one that Argo CD deploys."""
    if git.top(source) != source.resolve():
        raise MigrationError(f"{source} is not the root of a git checkout")
    if not git.succeeds(source, "symbolic-ref", "--quiet", "HEAD"):
        raise MigrationError(
            f"{source} has no branch checked out; check out the one that Argo CD follows"
        )
    branch = git.line(source, "symbolic-ref", "--short", "HEAD")
    for one, followed in _followed(stacks, teams):
        if followed not in (branch, "HEAD"):  # HEAD is whatever branch the repo has for its first
            raise MigrationError(
                f'ApplicationSet "{one}" follows "{followed}", and {source} has "{branch}" checked out; check out the '
                "branch that it follows"
            )
    revision = git.line(source, "rev-parse", "HEAD")
    if "origin" in git.line(source, "remote").split():
        git.run(source, "fetch", "--quiet", "origin", branch)
        pushed = git.line(source, "rev-parse", "FETCH_HEAD")
        if pushed != revision:
            raise MigrationError(
                f"{source} is at {revision[:8]}, and {branch} of its origin at {pushed[:8]}; pull, or push, first"
            )
    for team in teams.values():
        for line in git.line(source, "ls-files", "--stage", "--", team.path).splitlines():
            mode, _, rest = line.partition(" ")
            if mode == "160000":
                raise MigrationError(
                    f"{rest.partition(chr(9))[2]} is a submodule, whose history is elsewhere; take its files in first"
                )
    return branch, revision


def _followed(stacks: Mapping[str, Fleet], teams: Mapping[str, Team]) -> Iterator[tuple[str, str]]:
    for fleet in stacks.values():
        for one in every(fleet):
            if isinstance(one, TeamSet) and one.team.name in teams:
                yield one.name, one.revision or fleet.gitops.revision


def _clone(source: Path, into: Path, branch: str) -> None:
    git.run(
        source.resolve().parent,
        *("-c", "core.autocrlf=false", "-c", "core.symlinks=true", "clone", "--quiet"),
        *("--no-local", "--single-branch", "--no-tags", "--branch", branch),
        *(str(source.resolve()), str(into.resolve())),
    )
    git.run(into, "config", "core.autocrlf", "false")


def _split(
    source: Path,
    before: Tree,
    team: Team,
    work: Path,
    stacks: Mapping[str, Fleet],
    repos: Mapping[str, str],
) -> TeamRepo:
    its = services(before, team)
    if not its:
        raise MigrationError(
            f'team "{team.name}" has no service in {team.path}/ of the repo, so there is nothing to split; leave it out'
        )
    url = repos[team.name]
    name = url.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2] or team.name
    if (work / name).exists():
        name = team.name
    folder = work / name
    branch = git.line(before.root, "symbolic-ref", "--short", "HEAD")
    _clone(before.root, folder, branch)
    shared = _shared(before, team, its)
    paths = [f"{team.path}/{one}/" for one in its] + shared
    _filter(folder, paths)
    for key in ("user.name", "user.email"):
        if value := git.run(source, "config", key, check=False).decode().strip():
            git.run(folder, "config", key, value)
    main = team.revision or MAIN
    git.run(folder, "branch", "-M", main)
    plan = scaffold.of_team(moved(stacks, repos), folder, team.name)
    # A service that the team names and doesn't have yet would be a new Application.
    others = [one for one in plan.changes if not one.path.startswith(f"{team.path}/")]
    replace(plan, changes=tuple(others)).write()
    git.run(folder, "add", "--all")
    git.run(
        folder,
        "commit",
        "--quiet",
        "-m",
        f"Start of the repo of team {team.name}\n\nBy fleet migrate.",
    )
    return TeamRepo(
        team=team.name,
        repo=url,
        branch=main,
        directory=name,
        head=git.line(folder, "rev-parse", "HEAD"),
        services=tuple(its),
        shared=tuple(shared),
    )


def _shared(before: Tree, team: Team, its: list[str]) -> list[str]:
    """What the services are made of that isn't in their directories."""
    kustomize = Kustomize(before)
    own = tuple(f"{team.path}/{one}/" for one in its)
    found = {
        path
        for one in its
        for environment in before.services(team.path)[one]
        for path in kustomize.files(f"{team.path}/{one}/overlays/{environment}")
    }
    return sorted(path for path in found if not path.startswith(own))


def _filter(folder: Path, paths: list[str]) -> None:
    words = [word for path in paths for word in ("--path", path)]
    done = subprocess.run(
        [sys.executable, "-m", "git_filter_repo", "--quiet", "--force", *words],
        cwd=folder,
        env=git.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise MigrationError(f"git filter-repo: {said[:400]}")
