"""A gitops-config repo as the stacks of one hub deploy it: what all the rules look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from gitops import applications
from gitops.applications import Application
from gitops.kinds import Kinds
from gitops.kustomize import Built, Kustomize, Rendered
from gitops.tree import Tree
from stacks.desired import sets
from stacks.loading.yaml_speed import LOADER
from stacks.model.fleet import Fleet


@dataclass(frozen=True)
class Repo:
    """The repos' files by team, the stacks by name, what their sets make of the files, and what Kustomize does.

    The gitops-config repo is that of team "", where it is here at all.
    """

    trees: Mapping[str, Tree]
    stacks: Mapping[str, Fleet]
    applications: tuple[Application, ...]
    built: Mapping[tuple[str, str], Built]
    """By team and directory."""
    kinds: Kinds
    _files: dict[Path, list[_Document]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(
        cls,
        trees: Iterable[Tree],
        stacks: Mapping[str, Fleet],
        crds: Iterable[Mapping[str, object]],
        cache: Path | None,
    ) -> Repo:
        """Build whatever there is to build. Raises KustomizeError where there is nothing to build with."""
        known = {tree.team: tree for tree in trees}
        made = tuple(
            one
            for stack, fleet in stacks.items()
            for one in applications.of_stack(fleet, stack, known)
        )
        built: dict[tuple[str, str], Built] = {}
        for team, tree in known.items():
            directories = {one.path for one in made if one.tree is tree and tree.has(one.path)}
            directories |= {
                f"{folder}/{name}/overlays/{environment}"
                for folder in folders(stacks, team)
                for name, environments in tree.services(folder).items()
                for environment in environments
            }
            if not team:
                directories |= {f"clusters/{name}/platform" for name in tree.clusters}
            its = Kustomize(tree, cache).build(sorted(directories))
            built |= {(team, path): one for path, one in its.items()}
        inside = [
            dict(one.object)
            for each in built.values()
            for one in each.objects
            if one.kind.endswith("Definition")
        ]
        return cls(known, stacks, made, built, Kinds.of([*crds, *inside]))

    @cached_property
    def owner(self) -> tuple[str, Fleet] | None:
        """The stack that owns the hub, which makes the AppProjects; None where its file isn't among these."""
        return next(
            ((stack, fleet) for stack, fleet in self.stacks.items() if fleet.owns_hub), None
        )

    def objects(self, application: Application) -> tuple[Rendered, ...]:
        """What an Application deploys; nothing where that isn't there, or can't be built."""
        found = self.built.get((application.tree.team, application.path))
        return found.objects if found else ()

    def of_spokes(self) -> Iterator[tuple[str, Fleet, list[Application]]]:
        """For each spoke of each stack, by its name: the stack's fleet, and all that is deployed there."""
        found: dict[str, tuple[Fleet, list[Application]]] = {}
        for one in self.applications:
            found.setdefault(one.spoke.name, (self.stacks[one.stack], []))[1].append(one)
        for name, (fleet, its) in found.items():
            yield name, fleet, its

    def line(self, one: Rendered, tree: Tree) -> int:
        """The line in its file at which an object begins, counted from 1; 0 where that isn't known."""
        if not one.file:
            return 0
        file = tree.root / one.file
        if file not in self._files:
            self._files[file] = _documents(file)
        # Kustomize may have put something before or behind the name.
        its = [
            each
            for each in self._files[file]
            if each.kind == one.kind and each.name and each.name in one.name
        ]
        return max(its, key=lambda each: len(each.name)).line if its else 0


def folders(stacks: Mapping[str, Fleet], team: str) -> set[str]:
    """The directories that have services in the repo of a team, or, of "", in the gitops-config repo."""
    found = {
        one.path
        for fleet in stacks.values()
        for one in fleet.teams
        if (one.name if one.repo else "") == team
    }
    return found if team else {sets.APPS, *found}


def namespace_of(one: Rendered, application: Application) -> str:
    """The namespace that an object goes into, if its kind is in namespaces: its own, or the Application's."""
    return str(one.metadata.get("namespace") or application.namespace)


@dataclass(frozen=True)
class _Document:
    """An object as it stands in a file, and where it begins."""

    kind: str
    name: str
    line: int


def _documents(path: Path) -> list[_Document]:
    try:
        nodes = list(yaml.compose_all(path.read_text(), Loader=LOADER))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return []
    return [
        _Document(
            _text(_value(node, "kind")),
            _text(_value(_value(node, "metadata"), "name")),
            int(node.start_mark.line) + 1,
        )
        for node in nodes
        if isinstance(node, yaml.MappingNode)
    ]


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if _text(name) == key), None)


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
