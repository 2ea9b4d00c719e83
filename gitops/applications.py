"""The Applications that a stack's sets would make of a repo: which directory goes where, and by which project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitops.tree import Tree
from stacks.desired import application_sets, contract, sets
from stacks.model.fleet import ApplicationSet, Fleet
from stacks.model.spoke import Spoke

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELD = re.compile(
    r"\s*\.(?:(?P<name>name)|metadata\.(?P<kind>labels|annotations)\.(?P<key>\w+))\s*"
)
_INDEX = re.compile(
    r"\s*index\s+\.metadata\.(?P<kind>labels|annotations)\s+[\"`](?P<key>[^\"`]+)[\"`]\s*"
)


@dataclass(frozen=True)
class Application:
    """One Application: what it deploys (`path` in the repo), where, and through which AppProject of the hub."""

    name: str
    stack: str
    set: str
    layout: str
    spoke: Spoke
    path: str
    namespace: str
    project: str
    tree: Tree


def of_stack(fleet: Fleet, stack: str, trees: Mapping[str, Tree]) -> Iterator[Application]:
    """Those of the sets of a stack, from the repos here by team; without a `path` by a template that isn't plain."""
    for one in sets.every(fleet):
        tree = trees.get(owner(one))
        if tree is None:
            continue
        kept = set(application_sets.left_out(fleet, stack, one)) if one.layout == "services" else ()
        for spoke in sets.spokes(fleet, stack, one):
            for suffix, path, namespace in _directories(fleet, stack, one, spoke, tree):
                if not any(fnmatchcase(suffix, name) for name in kept):
                    yield Application(
                        f"{spoke.name}-{suffix}",
                        stack,
                        one.name,
                        one.layout,
                        spoke,
                        path,
                        namespace,
                        sets.project_for(one, spoke),
                        tree,
                    )


def owner(one: ApplicationSet) -> str:
    """The team whose own repo a set deploys from; empty where that is the gitops-config repo."""
    return one.team.name if isinstance(one, sets.TeamSet) and one.team.repo else ""


def _directories(
    fleet: Fleet, stack: str, one: ApplicationSet, spoke: Spoke, tree: Tree
) -> Iterator[tuple[str, str, str]]:
    """Behind the spoke's name in the Application's, the directory, and the namespace."""
    ending = sets.suffix(one)
    match one.layout:
        case "platform":
            yield sets.PLATFORM, f"clusters/{spoke.name}/platform", sets.PLATFORM
        case "directory":
            path = rendered(one.path or "", fleet, stack, spoke)
            if path is not None and ending:
                yield ending, path, one.namespace or ending
        case "services":
            folder = sets.services_folder(one)
            for name, environments in tree.services(folder).items():
                if spoke.environment in environments and (
                    not isinstance(one, sets.TeamSet) or one.has(name)
                ):
                    yield name, f"{folder}/{name}/overlays/{spoke.environment}", name


def rendered(template: str, fleet: Fleet, stack: str, spoke: Spoke) -> str | None:
    """A template over the spoke's cluster Secret; None where it does more than name fields."""
    values: Mapping[str, Mapping[str, str]] = {
        "labels": contract.labels(fleet, stack, spoke),
        "annotations": contract.annotations(fleet, spoke),
    }
    text, last = "", 0
    for action in _ACTION.finditer(template):
        found = _FIELD.fullmatch(action[1]) or _INDEX.fullmatch(action[1])
        if not found:
            return None
        named = found.groupdict()
        value = spoke.name if named.get("name") else values[named["kind"]].get(named["key"])
        if value is None:
            return None
        text += template[last : action.start()] + value
        last = action.end()
    return text + template[last:]
