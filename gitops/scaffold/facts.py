"""What the stack files of a hub say that a repo must have: spokes, environments, teams, stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from stacks.desired import application_sets, projects, sets, vault_identity
from stacks.desired.policy_paths import covers
from stacks.model.fields import NAMESPACE_LENGTH, is_label_value
from stacks.model.fleet import Fleet, Team
from stacks.model.spoke import Spoke

_STARS = "*"


class ScaffoldError(Exception):
    """What can't be scaffolded; the message says why, and what to write instead."""


@dataclass(frozen=True)
class Facts:
    """The stacks of one hub, by name."""

    stacks: Mapping[str, Fleet]

    @cached_property
    def teams(self) -> dict[str, Team]:
        """The teams by name; their stacks agree, as `fleet check` sees to."""
        return {team.name: team for fleet in self.stacks.values() for team in fleet.teams}

    @cached_property
    def spokes(self) -> dict[str, Spoke]:
        """The spokes by name."""
        return {spoke.name: spoke for fleet in self.stacks.values() for spoke in fleet.spokes}

    @cached_property
    def platforms(self) -> dict[str, Spoke]:
        """The spokes that a set of the layout `platform` takes, by name, sorted."""
        found = {
            spoke.name: spoke
            for stack, fleet in self.stacks.items()
            for one in fleet.application_sets
            if one.layout == "platform"
            for spoke in sets.spokes(fleet, stack, one)
        }
        return dict(sorted(found.items()))

    @cached_property
    def environments(self) -> dict[str, bool]:
        """The environments that services are deployed to, as the stack files order them; whether each is protected."""
        taken = {
            spoke.environment
            for stack, fleet in self.stacks.items()
            for one in fleet.application_sets
            if one.layout == "services"
            for spoke in sets.spokes(fleet, stack, one)
        }
        return {
            name: name in fleet.protected_environments
            for fleet in self.stacks.values()
            for name in reversed(fleet.environments)
            if name in taken
        }

    @cached_property
    def repo(self) -> str:
        """The URL of the gitops-config repo."""
        return next(iter(self.stacks.values())).gitops.repo

    def team_of(self, service: str) -> Team | None:
        """The team that a service belongs to; None for one of no team."""
        return next((team for team in self.teams.values() if _has(team, service)), None)

    def services_of(self, team: Team) -> list[str]:
        """The services that a team names one by one, in its order."""
        return [name for name in team.namespaces if not name.endswith(_STARS)]

    def not_a_service(self, name: str) -> str:
        """Why no service may have this name, empty where one may."""
        if len(name) > NAMESPACE_LENGTH or not is_label_value(name) or name != name.lower():
            return "is no name of a namespace: use at most 63 lower-case letters, digits and -"
        if "." in name or "_" in name:
            return "is no name of a namespace: use lower-case letters, digits and -"
        for stack, fleet in self.stacks.items():
            kept = [*projects.system_namespaces(fleet), *projects.platform_namespaces(fleet)]
            if projects.is_among(name, kept):
                return "is a namespace of the system or the platform; choose another name"
            teamless = fleet.model_copy(update={"teams": []})
            for one in teamless.application_sets:
                if one.layout == "services" and projects.is_among(
                    name, application_sets.left_out(teamless, stack, one)
                ):
                    return f'is left out by ApplicationSet "{one.name}"; choose another name'
        return ""

    def store(self, name: str | None) -> tuple[str, str]:
        """The store that services read by, and the mount in Vault that it reads. Raises ScaffoldError."""
        for fleet in self.stacks.values():
            for spoke in fleet.spokes:
                if not fleet.vault:
                    continue
                for grant in vault_identity.of_spoke(fleet, spoke).grants:
                    if name in (None, grant.store):
                        return grant.store, grant.mount
        raise ScaffoldError(
            f'no spoke of these stacks has a store "{name}"' if name else "no spoke has a store"
        )

    def paths_in_vault(self, store: str, path: str) -> dict[str, str]:
        """The path of a secret by environment, as the policies of its spokes let the store read it.

        As it is, where they do; else below the environment's name, which is what `readPaths` begins with by default.
        """
        found = {}
        for environment in self.environments:
            below = f"{environment}/{path}"
            found[environment] = path if self._reads(store, environment, path) else below
        return found

    def _reads(self, store: str, environment: str, path: str) -> bool:
        return all(
            any(covers(pattern, path) for pattern in grant.read_paths)
            for fleet, spoke in self._of_environment(environment)
            for grant in vault_identity.of_spoke(fleet, spoke).grants
            if grant.store == store
        )

    def _of_environment(self, environment: str) -> Iterator[tuple[Fleet, Spoke]]:
        for fleet in self.stacks.values():
            for spoke in fleet.spokes if fleet.vault else ():
                if spoke.environment == environment:
                    yield fleet, spoke


def owner_of(repo: str) -> str:
    """The organisation or group of a repo on a forge, by its URL; "" where that doesn't tell."""
    path = urlsplit(repo).path if "://" in repo else repo.partition(":")[2]
    return path.strip("/").removesuffix(".git").rpartition("/")[0]


def _has(team: Team, service: str) -> bool:
    return projects.is_among(service, team.namespaces)
