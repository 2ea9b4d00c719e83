"""The AppProjects on the hub: what Argo CD may deploy, from where, and to which clusters."""

from __future__ import annotations

from typing import Any

from stacks.desired import external_secrets_set
from stacks.desired.objects import RBAC
from stacks.model.fleet import Fleet
from stacks.model.spoke import IN_CLUSTER_SERVER

EMPTIED = {"description": "Emptied by Fleet: nothing may be deployed through it."}
"""The spec of the AppProject `default`, which Argo CD itself makes open to everything."""


def platform_spec(fleet: Fleet) -> dict[str, Any]:
    """The AppProject `platform`: one repo, every spoke, and few cluster-scoped kinds."""
    return {
        "description": "What Fleet's ApplicationSets deploy to the spokes.",
        "sourceRepos": [fleet.gitops.repo],
        "destinations": destinations(fleet, "*"),
        "clusterResourceWhitelist": [
            {"group": "", "kind": "Namespace"},
            {"group": RBAC, "kind": "ClusterRole"},
            {"group": RBAC, "kind": "ClusterRoleBinding"},
        ],
    }


def external_secrets_spec(fleet: Fleet) -> dict[str, Any]:
    """The AppProject: the chart's repo, one namespace on every spoke, and the kinds that the chart and stores have."""
    settings = fleet.external_secrets
    assert settings, "every fleet with spokes has it"
    return {
        "description": "External Secrets and the stores, as Fleet delivers them to the spokes.",
        "sourceRepos": [external_secrets_set.source(settings)["repoURL"]],
        "destinations": destinations(fleet, settings.namespace),
        "clusterResourceWhitelist": [
            {"group": "", "kind": "Namespace"},
            {"group": "admissionregistration.k8s.io", "kind": "ValidatingWebhookConfiguration"},
            {"group": "apiextensions.k8s.io", "kind": "CustomResourceDefinition"},
            {"group": "external-secrets.io", "kind": "ClusterSecretStore"},
            {"group": RBAC, "kind": "ClusterRole"},
            {"group": RBAC, "kind": "ClusterRoleBinding"},
        ],
    }


def destinations(fleet: Fleet, namespace: str) -> list[dict[str, str]]:
    """Where an AppProject may deploy to: this namespace of every spoke, and never the hub, unless it is a spoke too.

    These are patterns, so that a new spoke changes nothing here.
    """
    allowed = [{"server": "*", "namespace": namespace}]
    if not fleet.hub_is_a_spoke:
        allowed.append({"server": f"!{IN_CLUSTER_SERVER}", "namespace": "*"})
    return allowed
