"""All that a repo should have, by the stack files: the gitops-config repo, or that of a team."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.scaffold import platform, service
from gitops.scaffold.facts import Facts, ScaffoldError, owner_of
from gitops.scaffold.pipelines import pipelines
from gitops.scaffold.service import Files, Service
from gitops.scaffold.templates import rendered
from stacks.desired.sets import APPS
from stacks.model.errors import did_you_mean
from stacks.model.fleet import Team

IMAGES = "registry.example.com"
"""Where a service's image is from that nobody named one for: it must be written."""
MOST_SERVICES, MOST_TEAMS = 20, 5
"""Beyond these, one repo for all is told to be too much."""


def central(facts: Facts, there: Iterable[str]) -> Files:
    """The gitops-config repo: the platform's part, and that of the teams without a repo. `there` are its services."""
    here = [team for team in facts.teams.values() if not team.repo]
    named = [name for team in facts.teams.values() for name in facts.services_of(team)]
    # A service of a team that moved away is that team's, wherever its directory still is.
    services = {*named, *(name for name in there if not facts.not_a_service(name))}
    found = platform.files(facts, services)
    for team in here:
        found |= _services(facts, team)
    owners = {f"/{team.path}/{name}/": team.name for team in here for name in team.namespaces}
    return {
        **found,
        **_forge(facts, facts.repo, owners, ""),
        "README.md": rendered(
            "forge/README-central.md",
            teams=_table(facts),
            services="`apps/<service>/`"
            + (" or its team's repo" if len(here) < len(facts.teams) else ""),
        ),
    }


def of_team(facts: Facts, team: Team) -> Files:
    """A team's own repo."""
    assert team.repo, "asked of teams that have one"
    return {
        **_services(facts, team),
        **_forge(facts, team.repo, {"*": team.name}, team.name),
        "README.md": rendered(
            "forge/README-team.md", team=team.name, path=team.path, central=facts.repo
        ),
    }


def team(facts: Facts, name: str) -> Team:
    """The team of this name. Raises ScaffoldError where the stack files have none."""
    if found := facts.teams.get(name):
        return found
    raise ScaffoldError(
        f'these stacks have no team "{name}"{did_you_mean(name, facts.teams)}; write it under fleet:teams: '
        f"{{name: {name}, namespaces: [<service>]}}"
    )


def new_service(facts: Facts, given: Service, whose: str | None) -> tuple[Team | None, Files]:
    """A new service and the team that has it. Raises ScaffoldError where it can't be, with what to write."""
    if why := facts.not_a_service(given.name):
        raise ScaffoldError(f'"{given.name}" {why}')
    if why := service.problem(given):
        raise ScaffoldError(why)
    owner, asked = facts.team_of(given.name), team(facts, whose) if whose else None
    if asked and owner is not asked:
        its = ", ".join([*asked.namespaces, given.name])
        raise ScaffoldError(
            f'"{given.name}" belongs to team "{owner.name}" by fleet:teams'
            if owner
            else f'team "{asked.name}" has no namespace "{given.name}"; write in every stack file of the hub, under '
            f"fleet:teams, `namespaces: [{its}]`"
        )
    if owner and not asked:
        raise ScaffoldError(
            f'"{given.name}" belongs to team "{owner.name}": say --team {owner.name}'
        )
    return asked, service.files(facts, given, asked.path if asked else APPS)


def _services(facts: Facts, its: Team) -> Files:
    found: Files = {}
    for name in facts.services_of(its):
        found |= service.files(facts, Service(name=name, image=f"{IMAGES}/{name}"), its.path)
    return found


def _forge(facts: Facts, repo: str, owners: dict[str, str], whose: str) -> Files:
    called = owner_of(repo)
    lines = [
        "# Who must approve what: the last line that matches. Whoever merges here, deploys.",
        *([] if called else ["# Write your forge's names for the teams."]),
        f"* @{_handle(called, whose or 'platform')}",
        *(f"{path} @{_handle(called, team)}" for path, team in owners.items() if path != "*"),
    ]
    lint = f'--team "{whose}=$repo"' if whose else '"$repo"'
    return {
        "CODEOWNERS": "\n".join([*lines, ""]),
        **pipelines(facts.environments, lint),
    }


def _handle(owner: str, team: str) -> str:
    return f"{owner}/{team}" if owner else team


def _table(facts: Facts) -> str:
    if not facts.teams:
        return ""
    rows = [
        f"| {team.name} | {', '.join(team.namespaces)} | {team.repo or 'here'}, `{team.path}/` |"
        for team in facts.teams.values()
    ]
    return "\n".join(["\n## Teams\n", "| team | services | where |", "|---|---|---|", *rows, ""])
