"""The repo's directories, held against what the ApplicationSets read; and whether they build."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from gitops.finding import Finding
from gitops.repo import Repo, folders
from stacks.desired import application_sets
from stacks.desired.sets import APPS
from stacks.model.errors import did_you_mean
from stacks.model.fields import is_label_value
from stacks.model.fleet import Team


def findings(repo: Repo) -> Iterator[Finding]:
    """What is missing, superfluous, made twice, or doesn't build."""
    yield from _builds(repo)
    yield from _missing(repo)
    yield from _overlays(repo)
    yield from _teams(repo)
    yield from _twice(repo)
    yield from _left_out(repo)


def _builds(repo: Repo) -> Iterator[Finding]:
    for (team, path), built in repo.built.items():
        where = repo.trees[team].shown + path
        if built.error:
            yield Finding(where, 0, "build", built.error)
        elif not built.objects:
            yield Finding(
                where, 0, "build", "makes no object: Argo CD deletes whatever it had", "warning"
            )


def _missing(repo: Repo) -> Iterator[Finding]:
    for one in repo.applications:
        if not one.tree.has(one.path):
            yield Finding(
                one.tree.shown + one.path,
                0,
                "directory",
                f'isn\'t there, and ApplicationSet "{one.set}" of stack "{one.stack}" deploys it to '
                f'"{one.spoke.name}"; add it with a kustomization.yaml',
            )


def _overlays(repo: Repo) -> Iterator[Finding]:
    environments = {one for fleet in repo.stacks.values() for one in fleet.environments}
    for _, directory, overlays in _services(repo):
        if not overlays:
            yield Finding(
                directory,
                0,
                "directory",
                "has no overlays/<environment>, so it is deployed nowhere",
                "warning",
            )
        for overlay in overlays:
            if overlay not in environments:
                yield Finding(
                    f"{directory}/overlays/{overlay}",
                    0,
                    "directory",
                    "is of no environment of these stacks, so it is deployed nowhere"
                    f"{did_you_mean(overlay, environments)}",
                )
    spokes = {spoke.name for fleet in repo.stacks.values() for spoke in fleet.spokes}
    for name in repo.trees[""].clusters if "" in repo.trees else ():
        if name not in spokes:
            yield Finding(
                f"clusters/{name}",
                0,
                "directory",
                f"is of no spoke of these stacks{did_you_mean(name, spokes)}",
                "warning",
            )


def _services(repo: Repo) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each directory of services that are here: its name, its path as it is shown, and its overlays."""
    for team, tree in repo.trees.items():
        for folder in sorted(folders(repo.stacks, team)):
            for name, overlays in tree.services(folder).items():
                yield name, f"{tree.shown}{folder}/{name}", overlays


def _teams(repo: Repo) -> Iterator[Finding]:
    """Services that no set takes, for whose they are: of a team, and not in the directory where its set looks."""
    known = {team.name: team for fleet in repo.stacks.values() for team in fleet.teams}
    for key, tree in repo.trees.items():
        for folder in sorted(folders(repo.stacks, key)):
            # Whoever looks here: with a folder of its own, a team; and in apps/, those of no team too.
            here = [
                team
                for team in known.values()
                if (team.name if team.repo else "") == key and team.path == folder
            ]
            for name in tree.services(folder):
                owner = next((team for team in known.values() if _has(team, name)), None)
                moved = owner is not None and bool(owner.repo) and not key
                if owner in here or (owner is None and not key and folder == APPS):
                    continue
                yield Finding(
                    f"{tree.shown}{folder}/{name}",
                    0,
                    "team",
                    f'is deployed nowhere: it belongs to team "{owner.name}", whose services are in '
                    f"{owner.path}/ of {owner.repo or 'the gitops-config repo'}; take it out here, or change "
                    "fleet:teams"
                    if owner
                    else "is deployed nowhere: it is no service of "
                    + " or ".join(f'team "{team.name}"' for team in here)
                    + f"; add it to `namespaces` under fleet:teams: {name}",
                    # Left behind by a migration.
                    "warning" if moved else "error",
                )


def _has(team: Team, name: str) -> bool:
    return any(fnmatchcase(name, own) for own in team.namespaces)


def _twice(repo: Repo) -> Iterator[Finding]:
    """Argo CD gives the name to the first, or, where one set makes it twice, changes neither."""
    first: dict[str, tuple[str, str]] = {}
    for one in repo.applications:
        path = one.tree.shown + one.path
        known = first.setdefault(one.name, (path, one.set))
        if known != (path, one.set):
            yield Finding(
                path,
                0,
                "application",
                f'would be the Application "{one.name}", which {known[0]} is by ApplicationSet "{known[1]}"; rename '
                "the directory",
            )


def _left_out(repo: Repo) -> Iterator[Finding]:
    kept = {
        stack: sorted(
            pattern
            for one in fleet.application_sets
            if one.layout == "services"
            # Those of teams are told apart from these.
            for pattern in application_sets.left_out(
                fleet.model_copy(update={"teams": []}), stack, one
            )
            if pattern not in one.exclude
        )
        for stack, fleet in repo.stacks.items()
    }
    for name, directory, _ in _services(repo):
        if (
            len(name) > 63
            or not is_label_value(name)
            or name != name.lower()
            or "." in name
            or "_" in name
        ):
            yield Finding(
                directory,
                0,
                "application",
                "is no name for a namespace, nor for an Application: use lower-case letters, digits and -",
            )
            continue
        for stack, patterns in kept.items():
            if by := [pattern for pattern in patterns if fnmatchcase(name, pattern)]:
                yield Finding(
                    directory,
                    0,
                    "application",
                    f'is left out by its name: "{by[0]}" is a system namespace, or another Application of a spoke '
                    f'(stack "{stack}"); rename it',
                )
                break
    longest = max(
        (len(spoke.name) for fleet in repo.stacks.values() for spoke in fleet.spokes), default=0
    )
    for name, directory, _ in _services(repo):
        # What Argo CD tracks objects by, and labels: the Application's name.
        if longest + 1 + len(name) > 253:
            yield Finding(directory, 0, "application", "is too long a name for an Application")
