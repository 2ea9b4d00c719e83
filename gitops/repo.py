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
from stacks.loading.yaml_speed import LOADER
from stacks.model.fleet import Fleet


@dataclass(frozen=True)
class Repo:
    """The repo's files, the stacks by name, what their sets make of the files, and what Kustomize does."""

    tree: Tree
    stacks: Mapping[str, Fleet]
    applications: tuple[Application, ...]
    built: Mapping[str, Built]
    kinds: Kinds
    _files: dict[str, list[_Document]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(
        cls,
        tree: Tree,
        stacks: Mapping[str, Fleet],
        crds: Iterable[Mapping[str, object]],
        cache: Path | None,
    ) -> Repo:
        """Build whatever there is to build. Raises KustomizeError where there is nothing to build with."""
        made = tuple(
            one
            for stack, fleet in stacks.items()
            for one in applications.of_stack(fleet, stack, tree)
        )
        directories = {one.path for one in made if tree.has(one.path)}
        directories |= {
            f"apps/{name}/overlays/{environment}"
            for name, environments in tree.services.items()
            for environment in environments
        }
        directories |= {f"clusters/{name}/platform" for name in tree.clusters}
        built = Kustomize(tree, cache).build(sorted(directories))
        inside = [
            dict(one.object)
            for each in built.values()
            for one in each.objects
            if one.kind.endswith("Definition")
        ]
        return cls(tree, stacks, made, built, Kinds.of([*crds, *inside]))

    @cached_property
    def owner(self) -> tuple[str, Fleet] | None:
        """The stack that owns the hub, which makes the AppProjects; None where its file isn't among these."""
        return next(
            ((stack, fleet) for stack, fleet in self.stacks.items() if fleet.owns_hub), None
        )

    def objects(self, application: Application) -> tuple[Rendered, ...]:
        """What an Application deploys; nothing where that isn't there, or can't be built."""
        found = self.built.get(application.path)
        return found.objects if found else ()

    def of_spokes(self) -> Iterator[tuple[str, Fleet, list[Application]]]:
        """For each spoke of each stack, by its name: the stack's fleet, and all that is deployed there."""
        found: dict[str, tuple[Fleet, list[Application]]] = {}
        for one in self.applications:
            found.setdefault(one.spoke.name, (self.stacks[one.stack], []))[1].append(one)
        for name, (fleet, its) in found.items():
            yield name, fleet, its

    def line(self, one: Rendered) -> int:
        """The line in its file at which an object begins, counted from 1; 0 where that isn't known."""
        if not one.file:
            return 0
        if one.file not in self._files:
            self._files[one.file] = _documents(self.tree.root / one.file)
        # Kustomize may have put something before or behind the name.
        its = [
            each
            for each in self._files[one.file]
            if each.kind == one.kind and each.name and each.name in one.name
        ]
        return max(its, key=lambda each: len(each.name)).line if its else 0


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
