"""The teams' new repos on their forge: pushing what was split, and whether it is still there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitops import git
from gitops.migration.record import Migration, MigrationError, TeamRepo


def push(folder: Path, migration: Migration) -> dict[str, str]:
    """Push each team's repo where it isn't yet; what was done, by team. Never by force.

    Nothing is pushed before all are known to be reachable, and empty or at the commit that was split. Raises
    MigrationError, git.GitError.
    """
    heads = {one.team: head(folder / one.directory, one) for one in migration.teams}
    for one in migration.teams:
        found = heads[one.team]
        if found and found != one.head and not _holds(folder, one):
            raise MigrationError(
                f"{one.repo} of team {one.team} has commits of its own on {one.branch} ({found[:8]}); give an empty "
                "repo, or take that branch away there"
            )
    done = {}
    for one in migration.teams:
        if heads[one.team]:
            done[one.team] = f"{one.repo} has it already"
            continue
        git.run(
            folder / one.directory, "push", "--quiet", one.repo, f"HEAD:refs/heads/{one.branch}"
        )
        done[one.team] = f"pushed to {one.repo}"
    return done


def head(folder: Path, one: TeamRepo) -> str:
    """The newest commit of the team's branch at its forge; "" where it has no such branch. Raises MigrationError."""
    try:
        found = git.line(folder, "ls-remote", one.repo, f"refs/heads/{one.branch}")
    except git.GitError as error:
        raise MigrationError(
            f"{one.repo} of team {one.team} can't be read: {error}; is it made, and may you read it?"
        ) from None
    return found.split()[0] if found else ""


def problems(folder: Path, source: Path | None, migration: Migration) -> list[str]:
    """What has happened to the repos since the split: of a team's, and, with a checkout of it, of the one repo."""
    found = []
    for one in migration.teams:
        try:
            its = head(folder / one.directory, one)
        except MigrationError as error:
            found.append(str(error))
            continue
        if not its:
            found.append(
                f"{one.repo} of team {one.team} has no branch {one.branch}: push it, by `fleet migrate push`"
            )
        elif not _holds(folder, one):
            found.append(
                f"{one.repo} of team {one.team}: {one.branch} is at {its[:8]}, which doesn't hold the commit that was "
                f"split ({one.head[:8]}): somebody has pushed by force; push that commit again, or split anew"
            )
    if source:
        found += _since(source, migration)
    return found


def heads(folder: Path, migration: Migration) -> Mapping[str, str]:
    """The newest commit of each team's branch, by team. Raises MigrationError."""
    return {one.team: head(folder / one.directory, one) for one in migration.teams}


def _holds(folder: Path, one: TeamRepo) -> bool:
    """Whether the team's branch, as it is at its forge, has the commit that was split."""
    local = folder / one.directory
    git.run(local, "fetch", "--quiet", one.repo, one.branch)
    return git.succeeds(local, "merge-base", "--is-ancestor", one.head, "FETCH_HEAD")


def _since(source: Path, migration: Migration) -> list[str]:
    if "origin" in git.line(source, "remote").split():
        git.run(source, "fetch", "--quiet", "origin", migration.branch)
        newest = "FETCH_HEAD"
    else:
        newest = "HEAD"
    if not git.succeeds(source, "merge-base", "--is-ancestor", migration.revision, newest):
        return [
            f"{migration.branch} of the one repo doesn't hold {migration.revision[:8]} any more, which was split: "
            "somebody has pushed by force; split anew"
        ]
    found = []
    for one in migration.teams:
        moved = [
            path for each in migration.applications if each.team == one.team for path in [each.path]
        ]
        folders = sorted(
            {path.rpartition("/overlays/")[0] or path for path in moved} | {*one.shared}
        )
        # What was deleted has moved; what was changed is nowhere but there.
        words = (
            "log",
            "--format=%h",
            "--diff-filter=AMRT",
            f"{migration.revision}..{newest}",
            "--",
        )
        commits = git.line(source, *words, *folders).split()
        if commits:
            found.append(
                f"the one repo has newer commits ({len(commits)}) on services of team {one.team} ({commits[0]}), which "
                f"{one.repo} hasn't; split anew before the stack files name it, or make them there too"
            )
    return found
