"""Where a service's version stands: by the stack files, which repo, branch and overlay, and which clusters have it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from gitops.applications import rendered
from stacks.desired import application_sets, sets
from stacks.model.errors import did_you_mean
from stacks.model.fleet import ApplicationSet, Fleet

# As lint asks of the directories: nothing that leads elsewhere in the repo.
_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class ReleaseError(Exception):
    """What was asked for can't be done as it was asked; the message says why and what to write instead."""


class BadInput(ReleaseError):
    """Nothing could make it right but other words: no such environment, say."""


@dataclass(frozen=True)
class Repo:
    """A repo and the branch of it that Argo CD follows; `folder` has the services, `forge` is its kind if written."""

    url: str
    branch: str
    folder: str
    forge: str


@dataclass(frozen=True)
class Place:
    """A service in an environment: its overlay, and the clusters that the stack files deploy it to."""

    service: str
    environment: str
    team: str
    repo: Repo
    clusters: tuple[str, ...]

    @property
    def overlay(self) -> str:
        """The overlay's path in the repo."""
        return f"{self.repo.folder}/{self.service}/overlays/{self.environment}"


@dataclass(frozen=True)
class Shelf:
    """All services of one set in an environment: a place for each that `takes` lets in."""

    environment: str
    team: str
    repo: Repo
    clusters: tuple[str, ...]
    names: tuple[str, ...]
    left_out: tuple[str, ...]

    def takes(self, service: str) -> bool:
        """Whether the set deploys a service of this name."""
        return any(fnmatchcase(service, one) for one in self.names) and not any(
            fnmatchcase(service, one) for one in self.left_out
        )

    def place(self, service: str) -> Place:
        """Where this service is."""
        return Place(service, self.environment, self.team, self.repo, self.clusters)


def shelves(stacks: Mapping[str, Fleet]) -> list[Shelf]:
    """Those of all stacks, with the environments in the order of the stack files. Raises ReleaseError."""
    found: dict[tuple[object, ...], Shelf] = {}
    for stack, fleet in stacks.items():
        for one in sets.every(fleet):
            if one.layout != "services":
                continue
            for shelf in _of_set(fleet, stack, one):
                # Several sets may share the clusters of an environment between them.
                key = (shelf.environment, shelf.repo, shelf.names, shelf.left_out)
                known = found.get(key)
                merged = {*shelf.clusters, *(known.clusters if known else ())}
                found[key] = replace(shelf, clusters=tuple(sorted(merged)))
    order = environments(stacks)
    return sorted(found.values(), key=lambda one: order.index(one.environment))


def environments(stacks: Mapping[str, Fleet]) -> list[str]:
    """The names of all environments; production last, as Fleet's own default has it first."""
    named = [name for fleet in stacks.values() for name in reversed(fleet.environments)]
    return list(dict.fromkeys(named))


def place(known: list[Shelf], service: str, environment: str) -> Place:
    """Where a service is in an environment. Raises ReleaseError where the stack files deploy nothing of it there."""
    if not _SERVICE.fullmatch(service):
        raise BadInput(
            f'"{service}" is no name of a service: a directory of lower-case letters, digits and -'
        )
    names = {one.environment for one in known}
    if environment not in names:
        raise BadInput(
            f'no set of these stacks deploys services to "{environment}"{did_you_mean(environment, names)}; there '
            f"are: {', '.join(sorted(names)) or 'none'}"
        )
    its = [one for one in known if one.environment == environment and one.takes(service)]
    if not its:
        raise BadInput(
            f'"{service}" is no service that these stacks deploy to "{environment}": fleet:teams and the sets leave '
            "it out"
        )
    repos = {one.repo for one in its}
    if len(repos) > 1:
        raise ReleaseError(
            f'"{service}" is deployed to "{environment}" from several branches or repos: '
            f"{', '.join(sorted(f'{one.url} {one.branch}' for one in repos))}; one pull request can't change them all"
        )
    clusters = {name for one in its for name in one.clusters}
    return replace(its[0].place(service), clusters=tuple(sorted(clusters)))


def _of_set(fleet: Fleet, stack: str, one: ApplicationSet) -> Iterator[Shelf]:
    team = one.team if isinstance(one, sets.TeamSet) else None
    by_place: dict[tuple[str, str], list[str]] = {}
    for spoke in sets.spokes(fleet, stack, one):
        branch = rendered(one.revision or fleet.gitops.revision, fleet, stack, spoke)
        if branch is None:
            raise ReleaseError(
                f'ApplicationSet "{one.name}" of stack "{stack}": which branch it follows can\'t be told from its '
                "template; let `revision` name fields only"
            )
        by_place.setdefault((spoke.environment, branch), []).append(spoke.name)
    left_out = application_sets.left_out(fleet, stack, one)
    for (environment, branch), clusters in by_place.items():
        yield Shelf(
            environment,
            team.name if team else "",
            Repo(
                sets.repo(fleet, one), branch, sets.services_folder(one), fleet.gitops.forge or ""
            ),
            tuple(clusters),
            tuple(team.namespaces) if team else ("*",),
            tuple(left_out),
        )
