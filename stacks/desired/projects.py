"""The AppProjects on the hub: what Argo CD may deploy, from where, and to which clusters.

How Argo CD reads `destinations`: an entry allows what it matches, and one with a `!` matches, and so allows, all that
is not named after it. What it names it shuts, whatever other entries allow: docs/adr/0021.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from stacks.desired import external_secrets_set, sets
from stacks.desired.objects import RBAC
from stacks.model.fleet import Fleet, Project, Team
from stacks.model.spoke import IN_CLUSTER_SERVER

EMPTIED = {"description": "Emptied by Fleet: nothing may be deployed through it."}
"""The spec of the AppProject `default`, which Argo CD itself makes open to everything."""


KUBERNETES = "kube-*"
_ITS_NAMESPACES = ("kube-node-lease", "kube-public", "kube-system")
_NAMESPACE = {"group": "", "kind": "Namespace"}
_CLUSTER_ROLES = [
    {"group": RBAC, "kind": "ClusterRole"},
    {"group": RBAC, "kind": "ClusterRoleBinding"},
]
_HANDS_NOTHING_ON = {
    "namespaceResourceBlacklist": [
        {"group": RBAC, "kind": "*"},
        {"group": "argoproj.io", "kind": "*"},
    ],
}
_ON_SPOKES = f"!{IN_CLUSTER_SERVER}"

Spec = dict[str, Any]


def of_hub(fleet: Fleet) -> dict[str, Spec]:
    """The AppProjects that the stack which owns the hub makes beside `default`, by name."""
    return {
        sets.PROJECT: platform_spec(fleet),
        sets.SERVICES_PROJECT: services_spec(fleet),
        sets.HUB_PROJECT: hub_spec(fleet),
        **{
            sets.team_project(team, hub=hub): team_spec(fleet, team, hub=hub)
            for team in fleet.teams
            for hub in ((False, True) if fleet.hub_is_a_spoke else (False,))
        },
    }


def platform_spec(fleet: Fleet) -> Spec:
    """The AppProject `platform`: every spoke, its namespaces, and the rights of people and workloads there."""
    return _spec(
        fleet,
        sets.PROJECT,
        "What the platform team's ApplicationSets deploy to the spokes.",
        server=_ON_SPOKES,
        kinds=[_NAMESPACE, *_CLUSTER_ROLES],
    )


def services_spec(fleet: Fleet) -> Spec:
    """The AppProject `services`: every spoke, nothing of the platform's, and nothing that isn't inside of a namespace.

    Not even namespaces: one that a service makes has no Pod Security, and what it takes out of git is deleted.
    """
    return _spec(
        fleet,
        sets.SERVICES_PROJECT,
        "Services on the spokes, in namespaces that are there.",
        server=_ON_SPOKES,
        kinds=[],
    )


def hub_spec(fleet: Fleet) -> Spec:
    """The AppProject `hub`, for a hub that is a spoke too; else it lets nothing through.

    Argo CD may do everything there, so what could hand its rights on is left out: RBAC, and Argo CD's own kinds.
    """
    if not fleet.hub_is_a_spoke:
        return {"description": "Nothing may be deployed to the hub: it is no spoke."}
    return {
        **_spec(
            fleet,
            sets.HUB_PROJECT,
            "What is deployed to the hub itself.",
            server=IN_CLUSTER_SERVER,
            kinds=[_NAMESPACE],
        ),
        **_HANDS_NOTHING_ON,
    }


def team_spec(fleet: Fleet, team: Team, *, hub: bool = False) -> Spec:
    """The AppProject of a team: its namespaces on every spoke, or on the hub itself; nothing cluster-wide.

    The gitops-config repo stays let in beside the team's own: while its services move from one to the other, and back,
    Argo CD has Applications of both. Which of them deploy what, only the sets say, and those are the platform's.
    """
    server = IN_CLUSTER_SERVER if hub else _ON_SPOKES
    return {
        "description": f'Services of the team "{team.name}"{" on the hub itself" if hub else ""}.',
        "sourceRepos": [*dict.fromkeys([team.repo or fleet.gitops.repo, fleet.gitops.repo])],
        "destinations": [{"server": server, "namespace": one} for one in team.namespaces],
        "clusterResourceWhitelist": [],
        **(_HANDS_NOTHING_ON if hub else {}),
    }


def external_secrets_spec(fleet: Fleet) -> dict[str, Any]:
    """The AppProject: the chart's repo, one namespace on every spoke, and the kinds that the chart and stores have."""
    settings = fleet.external_secrets
    assert settings, "every fleet with spokes has it"
    # With `!`, this one entry lets in all that is not the hub, and only that namespace.
    server = (
        "*"
        if any(one.in_cluster and fleet.delivery_of(one) == "argocd" for one in fleet.spokes)
        else _ON_SPOKES
    )
    return {
        "description": "External Secrets and the stores, as Fleet delivers them to the spokes.",
        "sourceRepos": [external_secrets_set.source(settings)["repoURL"]],
        "destinations": [{"server": server, "namespace": settings.namespace}],
        "clusterResourceWhitelist": [
            {"group": "", "kind": "Namespace"},
            {"group": "admissionregistration.k8s.io", "kind": "ValidatingWebhookConfiguration"},
            {"group": "apiextensions.k8s.io", "kind": "CustomResourceDefinition"},
            {"group": "external-secrets.io", "kind": "ClusterSecretStore"},
            {"group": RBAC, "kind": "ClusterRole"},
            {"group": RBAC, "kind": "ClusterRoleBinding"},
        ],
    }


def system_namespaces(fleet: Fleet) -> list[str]:
    """The namespaces whose Pods may do what no workload should, as patterns: none is a workload's."""
    settings = fleet.external_secrets
    named = {
        fleet.argocd.namespace,
        settings.namespace if settings else sets.EXTERNAL_SECRETS,
        *([fleet.argo_rollouts.namespace] if fleet.argo_rollouts else ()),
        fleet.rbac.account_namespace,
        *(fleet.rbac_of(spoke).account_namespace for spoke in fleet.spokes),
        *fleet.projects.system_namespaces,
    }
    return [KUBERNETES, *sorted(name for name in named if not fnmatchcase(name, KUBERNETES))]


def platform_namespaces(fleet: Fleet) -> list[str]:
    """The namespaces that the sets which aren't of services deploy into, as patterns: none is a service's.

    What runs there has more rights than a service: cert-manager, say.
    """
    its = (
        one.namespace or sets.suffix(one)
        for one in fleet.application_sets
        if one.layout != "services"
    )
    return sorted({sets.PLATFORM, *filter(None, its), *fleet.projects.platform_namespaces})


def closed(fleet: Fleet, name: str) -> list[str]:
    """The namespaces that the AppProject of this name keeps shut where nothing widens it, as patterns."""
    system = system_namespaces(fleet)
    of_teams = {one for team in fleet.teams for one in team.namespaces}
    more = sorted({*platform_namespaces(fleet), *of_teams}) if name == sets.SERVICES_PROJECT else ()
    return [*system, *(one for one in more if not is_among(one, system))]


def shut(fleet: Fleet, name: str) -> list[str]:
    """The namespaces that the AppProject of this name keeps shut, as patterns."""
    opened, found = widened(fleet, name).namespaces, closed(fleet, name)
    if any(fnmatchcase(one, KUBERNETES) for one in opened):
        # What a pattern shuts nothing opens again; so all that it is there for, one by one.
        found = [*_ITS_NAMESPACES, *found[1:]]
    return [one for one in found if one not in opened]


def widened(fleet: Fleet, name: str) -> Project:
    """What the stack file adds to the AppProject of this name."""
    found: Project = getattr(fleet.projects, name)
    return found


def lets_into(patterns: Iterable[str], namespace: str) -> bool:
    """Whether an AppProject with these namespaces in its `destinations` lets deploy into one, as Argo CD reads them."""
    known = [*patterns]
    if any(one.startswith("!") and fnmatchcase(namespace, one[1:]) for one in known):
        return False
    return any(one.startswith("!") or fnmatchcase(namespace, one) for one in known)


def is_among(namespace: str, patterns: Iterable[str]) -> bool:
    """Whether the namespace is one of these."""
    return any(fnmatchcase(namespace, one) for one in patterns)


def _spec(
    fleet: Fleet, name: str, description: str, *, server: str, kinds: list[dict[str, str]]
) -> Spec:
    kept, more = shut(fleet, name), widened(fleet, name)
    others = [{"group": one.group, "kind": one.kind} for one in more.cluster_kinds]
    return {
        "description": description,
        "sourceRepos": [*dict.fromkeys([fleet.gitops.repo, *more.repos])],
        "destinations": [
            {"server": server, "namespace": "*"},
            *(
                {"server": "*" if server == _ON_SPOKES else server, "namespace": f"!{one}"}
                for one in kept
            ),
        ],
        "clusterResourceWhitelist": [*kinds, *(one for one in others if one not in kinds)],
        # Namespaces themselves are in none, so `destinations` doesn't hold for them.
        "clusterResourceBlacklist": [{**_NAMESPACE, "name": one} for one in kept],
    }
