"""The repo's directories, held against what the ApplicationSets read; and whether they build."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from gitops.finding import Finding
from gitops.repo import Repo
from stacks.desired import application_sets
from stacks.model.errors import did_you_mean
from stacks.model.fields import is_label_value


def findings(repo: Repo) -> Iterator[Finding]:
    """What is missing, superfluous, made twice, or doesn't build."""
    yield from _builds(repo)
    yield from _missing(repo)
    yield from _overlays(repo)
    yield from _twice(repo)
    yield from _left_out(repo)


def _builds(repo: Repo) -> Iterator[Finding]:
    for path, built in repo.built.items():
        if built.error:
            yield Finding(path, 0, "build", built.error)
        elif not built.objects:
            yield Finding(
                path, 0, "build", "makes no object: Argo CD deletes whatever it had", "warning"
            )


def _missing(repo: Repo) -> Iterator[Finding]:
    for one in repo.applications:
        if not repo.tree.has(one.path):
            yield Finding(
                one.path,
                0,
                "directory",
                f'isn\'t there, and ApplicationSet "{one.set}" of stack "{one.stack}" deploys it to '
                f'"{one.spoke.name}"; add it with a kustomization.yaml',
            )


def _overlays(repo: Repo) -> Iterator[Finding]:
    environments = {one for fleet in repo.stacks.values() for one in fleet.environments}
    for name, overlays in repo.tree.services.items():
        if not overlays:
            yield Finding(
                f"apps/{name}",
                0,
                "directory",
                "has no overlays/<environment>, so it is deployed nowhere",
                "warning",
            )
        for overlay in overlays:
            if overlay not in environments:
                yield Finding(
                    f"apps/{name}/overlays/{overlay}",
                    0,
                    "directory",
                    "is of no environment of these stacks, so it is deployed nowhere"
                    f"{did_you_mean(overlay, environments)}",
                )
    spokes = {spoke.name for fleet in repo.stacks.values() for spoke in fleet.spokes}
    for name in repo.tree.clusters:
        if name not in spokes:
            yield Finding(
                f"clusters/{name}",
                0,
                "directory",
                f"is of no spoke of these stacks{did_you_mean(name, spokes)}",
                "warning",
            )


def _twice(repo: Repo) -> Iterator[Finding]:
    """Argo CD gives the name to the first, or, where one set makes it twice, changes neither."""
    first: dict[str, tuple[str, str]] = {}
    for one in repo.applications:
        known = first.setdefault(one.name, (one.path, one.set))
        if known != (one.path, one.set):
            yield Finding(
                one.path,
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
            for pattern in application_sets.left_out(fleet, stack, one)
            if pattern not in one.exclude
        )
        for stack, fleet in repo.stacks.items()
    }
    for name in repo.tree.services:
        if (
            len(name) > 63
            or not is_label_value(name)
            or name != name.lower()
            or "." in name
            or "_" in name
        ):
            yield Finding(
                f"apps/{name}",
                0,
                "application",
                "is no name for a namespace, nor for an Application: use lower-case letters, digits and -",
            )
            continue
        for stack, patterns in kept.items():
            if by := [pattern for pattern in patterns if fnmatchcase(name, pattern)]:
                yield Finding(
                    f"apps/{name}",
                    0,
                    "application",
                    f'is left out by its name: "{by[0]}" is a system namespace, or another Application of a spoke '
                    f'(stack "{stack}"); rename it',
                )
                break
    longest = max(
        (len(spoke.name) for fleet in repo.stacks.values() for spoke in fleet.spokes), default=0
    )
    for name in repo.tree.services:
        # What Argo CD tracks objects by, and labels: the Application's name.
        if longest + 1 + len(name) > 253:
            yield Finding(f"apps/{name}", 0, "application", "is too long a name for an Application")
