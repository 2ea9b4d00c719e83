"""All that is wrong with a gitops-config repo, by every rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from gitops.finding import Finding
from gitops.repo import Repo
from gitops.rules import layout, objects, spokes
from gitops.tree import Tree
from stacks.model.fleet import Fleet


def lint(
    root: Path,
    stacks: Mapping[str, Fleet],
    crds: Iterable[Mapping[str, object]] = (),
    cache: Path | None = None,
) -> list[Finding]:
    """What is wrong with the repo at `root` as these stacks of one hub deploy it, by path and line.

    `crds` are of kinds that the repo uses and doesn't bring; `cache` is a folder for what was built, private to the
    user. Raises TreeError where `root` is no such repo, KustomizeError where there is nothing to build with.
    """
    repo = Repo.read(Tree.at(root), stacks, crds, cache)
    found = {*layout.findings(repo), *objects.findings(repo), *spokes.findings(repo)}
    return sorted(found)
