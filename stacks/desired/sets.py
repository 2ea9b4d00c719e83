"""What an ApplicationSet takes and makes: which spokes, which Applications, which labels and annotations it reads.

Pure: the component builds sets from it, and the checks of a stack file and of a live hub reason with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacks.desired import contract
from stacks.desired.contract import CLUSTER_SECRET_TYPE, DELIVERY_LABEL, STACK_LABEL
from stacks.desired.policy_paths import overlap
from stacks.model.fleet import ApplicationSet, Fleet, Team
from stacks.model.spoke import IN_CLUSTER_SERVER, Spoke

PROJECT = "platform"
"""The AppProject of sets of the layouts `platform` and `directory`; like the next two, the hub's stack makes it."""
SERVICES_PROJECT = "services"
"""The AppProject of sets of the layout `services`."""
TEAM_PROJECT = "team-"
"""What the AppProject of a team is called before the team's name; to the hub itself, `-hub` comes behind it."""
APPS = "apps"
"""The directory of the gitops-config repo that has the services."""
HUB_PROJECT = "hub"
"""The AppProject of whatever is deployed to the hub itself."""
PLATFORM = "platform"
"""What the Application of the layout `platform` is called after the spoke's name, and where it deploys to."""
EXTERNAL_SECRETS = "external-secrets"
"""What a spoke's Application is called after its name where Argo CD delivers External Secrets."""
ENVIRONMENT_LABEL = "environment"

MAIN = "main"
"""The revision that is followed of a team's own repo, where it names none."""

Selector = dict[str, Any]
"""A label selector as Kubernetes has it: matchLabels, matchExpressions."""

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_READS = re.compile(
    r"""\.metadata\.(?P<field>labels|annotations)\.(?P<name>\w+)
      | \bindex\s+\$?\.metadata\.(?P<indexed>labels|annotations)\s+(?P<quote>["`])(?P<key>[^"`]+)(?P=quote)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class References:
    """What a set's templates read of a cluster Secret, beside its name and server."""

    labels: frozenset[str]
    annotations: frozenset[str]


class TeamSet(ApplicationSet):
    """The services of one team, by the selector of a set of services: no stack file spells it out."""

    team: Team

    def has(self, directory: str) -> bool:
        """Whether a directory is of the team's services; of several, as a pattern, whether any may be."""
        return any(overlap(directory, own) for own in self.team.namespaces)


def placed(fleet: Fleet) -> Iterator[tuple[str, ApplicationSet]]:
    """All sets that a stack makes of its file, each with its place there: behind one of services, those of the teams.

    Without the one that delivers External Secrets.
    """
    for index, one in enumerate(fleet.application_sets):
        yield f"fleet:applicationSets[{index}]", one
        for position, its in enumerate(of_teams(fleet, one)):
            yield f"fleet:teams[{position}]", its


def of_teams(fleet: Fleet, one: ApplicationSet) -> list[TeamSet]:
    """The sets of the fleet's teams, in their order, that go with a set of services; none with another."""
    if one.layout != "services" or isinstance(one, TeamSet):
        return []
    return [
        TeamSet.model_construct(
            **{
                **dict(one),
                "name": f"{one.name}-{team.name}",
                "team": team,
                "revision": team.revision or (MAIN if team.repo else one.revision),
            }
        )
        for team in fleet.teams
    ]


def every(fleet: Fleet) -> list[ApplicationSet]:
    """The sets of :func:`placed`, without their places."""
    return [one for _, one in placed(fleet)]


def repo(fleet: Fleet, one: ApplicationSet) -> str:
    """The URL of the repo that the set deploys from."""
    return (one.team.repo if isinstance(one, TeamSet) else None) or fleet.gitops.repo


def services_folder(one: ApplicationSet) -> str:
    """The directory in that repo which has the services of a set of services."""
    return one.team.path if isinstance(one, TeamSet) else APPS


def selector(fleet: Fleet, one: ApplicationSet) -> Selector:
    """The label selector of the set's clusters generator.

    A set that names no environment takes those of this stack, so that sets of stacks which share a hub stay apart.
    """
    # Argo CD counts itself as a cluster too, unless a label of cluster Secrets is asked for.
    chosen: Selector = {"matchLabels": dict(one.selector) or dict(CLUSTER_SECRET_TYPE)}
    if ENVIRONMENT_LABEL not in one.selector:
        chosen["matchExpressions"] = [
            {"key": ENVIRONMENT_LABEL, "operator": "In", "values": list(fleet.environments)}
        ]
    return chosen


def takes(fleet: Fleet, one: ApplicationSet, labels: Mapping[str, str]) -> bool:
    """Whether the set takes a spoke whose cluster Secret has these labels."""
    return matches(selector(fleet, one), labels)


def matches(chosen: Selector, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes an object with these labels, as Kubernetes decides it.

    Raises ValueError for an operator that Kubernetes doesn't have.
    """
    wanted: Mapping[str, str] = chosen.get("matchLabels") or {}
    expressions: Sequence[Mapping[str, Any]] = chosen.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(expression, labels) for expression in expressions
    )


def spokes(fleet: Fleet, stack: str, one: ApplicationSet) -> list[Spoke]:
    """The spokes of the stack that the set takes."""
    return [
        spoke for spoke in fleet.spokes if takes(fleet, one, contract.labels(fleet, stack, spoke))
    ]


def project(fleet: Fleet, stack: str, one: ApplicationSet) -> str:
    """The AppProject that the set deploys by, as its template has it: to the hub itself by one of its own.

    A template only where the set takes the hub and others: with one, Argo CD's git generator uses no credential that
    belongs to a project.
    """
    its = projects_of(fleet, stack, one)
    if len(its) == 1:
        return its[0]
    return f'{{{{if eq .server "{IN_CLUSTER_SERVER}"}}}}{its[1]}{{{{else}}}}{its[0]}{{{{end}}}}'


def projects_of(fleet: Fleet, stack: str, one: ApplicationSet) -> list[str]:
    """The AppProjects that the set deploys by, that of the hub last."""
    its = {project_for(one, spoke) for spoke in spokes(fleet, stack, one)}
    return sorted(its or {_usual(one)}, key=lambda name: name == on_hub(one))


def project_for(one: ApplicationSet, spoke: Spoke) -> str:
    """The AppProject that the set deploys to this spoke by."""
    return on_hub(one) if spoke.in_cluster else _usual(one)


def on_hub(one: ApplicationSet) -> str:
    """The AppProject that the set deploys to the hub itself by."""
    return team_project(one.team, hub=True) if isinstance(one, TeamSet) else HUB_PROJECT


def team_project(team: Team, *, hub: bool = False) -> str:
    """The AppProject of a team: for spokes, or for the hub itself."""
    return f"{TEAM_PROJECT}{team.name}{f'-{HUB_PROJECT}' if hub else ''}"


def projects_needed(fleet: Fleet, stack: str) -> list[str]:
    """The AppProjects that the stack's sets deploy by and that the stack which owns the hub makes, sorted."""
    needed = (name for one in every(fleet) for name in projects_of(fleet, stack, one))
    return sorted(set(needed))


def suffix(one: ApplicationSet) -> str | None:
    """What follows `<cluster>-` in the names of the set's Applications; None where each service has its own."""
    if one.layout == "directory":
        return one.application or one.name
    return PLATFORM if one.layout == "platform" else None


def application_name(one: ApplicationSet, spoke: str) -> str | None:
    """The set's Application for the spoke of this name; None where it makes one per service."""
    ending = suffix(one)
    return f"{spoke}-{ending}" if ending else None


def references(one: ApplicationSet) -> References:
    """The labels and annotations that a spoke must have for the set's templates to render.

    Every set puts the environment on its Applications; the rest is what `path` and `revision` read.
    """
    found: dict[str, set[str]] = {"labels": {ENVIRONMENT_LABEL}, "annotations": set()}
    for template in (one.path, one.revision):
        for action in _ACTION.findall(template or ""):
            for read in _READS.finditer(action):
                found[read["field"] or read["indexed"]].add(read["name"] or read["key"])
    return References(frozenset(found["labels"]), frozenset(found["annotations"]))


def delivers_external_secrets(fleet: Fleet) -> bool:
    """Whether Argo CD delivers External Secrets to any spoke of the stack, and so a set for it is needed."""
    return any(fleet.delivery_of(spoke) == "argocd" for spoke in fleet.spokes)


def external_secrets_set(stack: str) -> str:
    """The name of the stack's ApplicationSet, and of its AppProject, that deliver External Secrets."""
    return f"{EXTERNAL_SECRETS}-{stack}"


def external_secrets_selector(stack: str) -> Selector:
    """The label selector of that set: this stack's spokes to which Argo CD delivers External Secrets."""
    return {
        "matchLabels": {
            "enable_external_secrets": "true",
            DELIVERY_LABEL: "argocd",
            STACK_LABEL: stack,
        }
    }


def _usual(one: ApplicationSet) -> str:
    if isinstance(one, TeamSet):
        return team_project(one.team)
    return SERVICES_PROJECT if one.layout == "services" else PROJECT


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = (
        expression["key"],
        expression["operator"],
        expression.get("values") or [],
    )
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f'"{operator}" is no operator of a label selector')
