"""One run of `fleet scaffold`: what the repo lacks, and what is there already of services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops.scaffold import changes, wanted, writing
from gitops.scaffold import record as record_of
from gitops.scaffold.changes import Change
from gitops.scaffold.facts import Facts, ScaffoldError
from gitops.scaffold.record import Record
from gitops.scaffold.service import Files, Service
from gitops.tree import Tree
from stacks.desired.sets import APPS
from stacks.model.fleet import Fleet, Team


@dataclass(frozen=True)
class Plan:
    """What a run would do to the repo at `root`."""

    root: Path
    record: Record
    changes: tuple[Change, ...]
    services: tuple[str, ...]
    """The services that the repo has, or will have."""

    @property
    def writes(self) -> list[Change]:
        """The changes that are written."""
        return [one for one in self.changes if one.after is not None]

    def write(self) -> None:
        """Do it. Raises ScaffoldError where a file can't be written."""
        if self.writes:
            writing.write(self.root, self.writes, self.record)


def central(stacks: Mapping[str, Fleet], folder: Path) -> Plan:
    """The gitops-config repo. Raises ScaffoldError, git.GitError."""
    facts = _facts(stacks)
    root = writing.checkout(folder)
    _not_of_a_team(facts, root)
    there = _there(root, APPS)
    files = wanted.central(facts, there)
    folders = {APPS, *(team.path for team in facts.teams.values() if not team.repo)}
    return _plan(root, files, folders)


def of_team(stacks: Mapping[str, Fleet], folder: Path, name: str) -> Plan:
    """The repo that a team has of its own. Raises ScaffoldError, git.GitError."""
    facts = _facts(stacks)
    team = _with_repo(wanted.team(facts, name))
    root = writing.checkout(folder)
    _not_central(root, team)
    return _plan(root, wanted.of_team(facts, team), {team.path})


def service(stacks: Mapping[str, Fleet], folder: Path, given: Service, whose: str | None) -> Plan:
    """One more service, and, in the gitops-config repo, the platform's part. Raises ScaffoldError, git.GitError."""
    facts = _facts(stacks)
    team, files = wanted.new_service(facts, given, whose)
    root = writing.checkout(folder)
    apps = team.path if team else APPS
    if (root / apps / given.name).exists():
        raise ScaffoldError(f"{apps}/{given.name} is there already; nothing was changed")
    if team and team.repo:
        _not_central(root, team)
        return _plan(root, files, {apps}, own=frozenset({f"{apps}/{given.name}"}))
    _not_of_a_team(facts, root)
    files |= {
        path: text
        for path, text in wanted.central(facts, [*_there(root, APPS), given.name]).items()
        if path.startswith("base/") or path == "CODEOWNERS"
    }
    # What it is made anew for, it was deleted for.
    return _plan(root, files, {apps}, own=frozenset({f"{apps}/{given.name}"}))


def _plan(root: Path, files: Files, folders: set[str], own: frozenset[str] = frozenset()) -> Plan:
    for path in (record_of.PATH, record_of.ATTRIBUTES):
        changes.safe(root, path)
    record = Record.read(root)
    if own:
        gone = {path for path in record.written if any(path.startswith(f"{one}/") for one in own)}
        kept = {path: blobs for path, blobs in record.written.items() if path not in gone}
        compared = Record({path: blobs for path, blobs in kept.items() if path in files})
        return Plan(
            root,
            Record(kept),
            tuple(changes.changes(root, files, compared, frozenset())),
            tuple(one.rpartition("/")[2] for one in own),
        )
    services = {
        "/".join(path.split("/")[: len(folder.split("/")) + 1])
        for folder in folders
        for path in files
        if path.startswith(f"{folder}/")
    }
    found = changes.changes(root, files, record, frozenset(services | _recorded(record, folders)))
    there = {name for folder in folders for name in _there(root, folder)}
    return Plan(
        root,
        record,
        tuple(found),
        tuple(sorted(there | {one.rpartition("/")[2] for one in services})),
    )


def _recorded(record: Record, folders: set[str]) -> set[str]:
    """The directories of services that were written once."""
    return {
        "/".join(path.split("/")[: len(folder.split("/")) + 1])
        for folder in folders
        for path in record.written
        if path.startswith(f"{folder}/")
    }


def _facts(stacks: Mapping[str, Fleet]) -> Facts:
    facts = Facts(stacks)
    if not facts.spokes:
        raise ScaffoldError(
            "none of these stacks has spokes, so nothing says which clusters and environments there are; name those "
            "that have some by --stack"
        )
    if not facts.environments:
        raise ScaffoldError(
            "no set of these stacks deploys services; write one with `layout: services` under fleet:applicationSets"
        )
    repos = {fleet.gitops.repo for fleet in stacks.values()}
    if len(repos) > 1:
        raise ScaffoldError(
            f"these stacks deploy from different repos ({', '.join(sorted(repos))}); name those of one by --stack"
        )
    return facts


def _there(root: Path, folder: str) -> list[str]:
    """The services that the repo has in a directory."""
    if not root.is_dir():
        return []
    found = Tree(root.resolve()).services(folder)
    return [name for name, overlays in found.items() if overlays]


def _with_repo(team: Team) -> Team:
    if team.repo:
        return team
    raise ScaffoldError(
        f'team "{team.name}" has no repo of its own: its services are in {team.path}/ of the gitops-config repo; write '
        "its `repo:` under fleet:teams, or leave --team out"
    )


def _not_central(root: Path, team: Team) -> None:
    if (root / "clusters").exists():
        raise ScaffoldError(
            f'{root} is the gitops-config repo, it has clusters/; that of team "{team.name}" is {team.repo}'
        )


def _not_of_a_team(facts: Facts, root: Path) -> None:
    own = {team.path for team in facts.teams.values() if team.repo}
    if not (root / "clusters").exists() and any(_there(root, path) for path in own):
        recorded = Record.read(root).written
        if recorded and not any(path.startswith("clusters/") for path in recorded):
            raise ScaffoldError(f"{root} is the repo of a team; say which by --team")
