"""The proof: what Argo CD would make of all repos after the split is what it makes of the one now, object by object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitops import applications
from gitops.applications import Application
from gitops.kustomize import Built, Kustomize
from gitops.migration.record import MigrationError, Moved
from gitops.tree import Tree
from stacks.model.fleet import Fleet

_SHOWN = 5


def same(
    stacks: Mapping[str, Fleet],
    then: Mapping[str, Fleet],
    before: Tree,
    after: Mapping[str, Tree],
    cache: Path | None,
) -> list[Moved]:
    """All Applications, by name, once each was found to stay what it is but for its repo.

    `before` is the one repo, `after` are those of the teams. Raises MigrationError with whatever differs, or can't be
    told because it doesn't build.
    """
    was = _applications(stacks, {"": before})
    becomes = _applications(then, {"": before, **after})
    wrong = [f"{name}: would be {'gone' if name in was else 'new'}" for name in {*was} ^ {*becomes}]
    builds = {id(tree): Kustomize(tree, cache) for tree in (before, *after.values())}
    made = {
        id(tree): builds[id(tree)].build(
            {one.path for one in (*was.values(), *becomes.values()) if one.tree is tree}
        )
        for tree in (before, *after.values())
    }
    for name in was.keys() & becomes.keys():
        wrong += _differences(was[name], becomes[name], made, builds)
    if wrong:
        more = [f"… and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise MigrationError(
            "\n".join(["not the same before and after:", *sorted(wrong)[:_SHOWN], *more])
        )
    return [
        Moved(
            name=one.name,
            stack=one.stack,
            set=one.set,
            project=one.project,
            spoke=one.spoke.name,
            namespace=one.namespace,
            path=one.path,
            team=one.tree.team,
        )
        for _, one in sorted(becomes.items())
    ]


def _applications(stacks: Mapping[str, Fleet], trees: Mapping[str, Tree]) -> dict[str, Application]:
    found: dict[str, Application] = {}
    for stack, fleet in stacks.items():
        for one in applications.of_stack(fleet, stack, trees):
            if found.setdefault(one.name, one) != one:
                raise MigrationError(
                    f'the Application "{one.name}" would be made twice, from {found[one.name].path} and {one.path}; '
                    "`fleet lint` says more"
                )
    return found


def _differences(
    one: Application,
    other: Application,
    made: Mapping[int, Mapping[str, Built]],
    builds: Mapping[int, Kustomize],
) -> list[str]:
    name = one.name
    found = [
        f'{name}: its {what} would change from "{was}" to "{becomes}"'
        for what, was, becomes in (
            ("ApplicationSet", one.set, other.set),
            ("AppProject", one.project, other.project),
            ("namespace", one.namespace, other.namespace),
            ("cluster", one.spoke.name, other.spoke.name),
        )
        if was != becomes
    ]
    if one.tree is other.tree and one.path == other.path:
        return found
    was, becomes = made[id(one.tree)][one.path], made[id(other.tree)][other.path]
    for built, tree in ((was, one.tree), (becomes, other.tree)):
        if built.error:
            where = f"the repo of team {tree.team}" if tree.team else "the one repo"
            return [*found, f"{name}: {one.path} doesn't build in {where}: {built.error}"]
    if [each.object for each in was.objects] != [each.object for each in becomes.objects]:
        return [*found, f"{name}: what {one.path} makes would change"]
    if not was.objects:  # A chart, say, which nobody builds here.
        files = builds[id(one.tree)].files(one.path)
        if files != builds[id(other.tree)].files(other.path):
            return [*found, f"{name}: the files of {one.path} would change"]
    return found
