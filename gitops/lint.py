"""All that is wrong with a gitops-config repo, by every rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from gitops.finding import Finding
from gitops.repo import Repo
from gitops.rules import layout, objects, promotion, spokes
from gitops.tree import Tree, TreeError
from stacks.model.errors import did_you_mean
from stacks.model.fleet import Fleet


def lint(
    root: Path | None,
    stacks: Mapping[str, Fleet],
    crds: Iterable[Mapping[str, object]] = (),
    cache: Path | None = None,
    teams: Mapping[str, Path] | None = None,
    base: str = "",
) -> list[Finding]:
    """What is wrong with the gitops-config repo at `root` as these stacks of one hub deploy it, by path and line.

    `teams` are checkouts of repos that teams have of their own, by the team's name; without `root` only those are
    looked at. `crds` are of kinds that the repo uses and doesn't bring; `cache` is a folder for what was built, private
    to the user. With `base`, a commit, what moved since is looked at too. Raises TreeError where one is no such repo,
    KustomizeError where there is nothing to build with, GitError where `base` isn't known there.
    """
    trees = [Tree.at(root)] if root else []
    trees += [_of_team(stacks, name, path) for name, path in (teams or {}).items()]
    repo = Repo.read(trees, stacks, crds, cache)
    found = {*layout.findings(repo), *objects.findings(repo), *spokes.findings(repo)}
    if base:
        found |= {*promotion.findings(repo, base)}
    return sorted(found)


def _of_team(stacks: Mapping[str, Fleet], name: str, path: Path) -> Tree:
    known = {team.name: team for fleet in stacks.values() for team in fleet.teams if team.repo}
    if name not in known:
        raise TreeError(
            f'no team "{name}" has a repo of its own in these stacks{did_you_mean(name, known)}; write its `repo:` '
            "under fleet:teams"
        )
    return Tree.of_team(path, name, known[name].path)
