"""HOW a fleet is made: one Pulumi component per file."""

from components.application_sets import FleetApplicationSets, FleetApplicationSetsArgs
from components.argocd import ArgoCD, ArgoCDArgs
from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.hub_store import hub_store
from components.management_hub import ManagementHub, ManagementHubArgs
from components.onboarding import Onboarding
from components.spoke_cluster import SpokeCluster, SpokeClusterArgs
from components.vault_identity import VaultIdentity, VaultIdentityArgs, kv_mounts

__all__ = [
    "ArgoCD",
    "ArgoCDArgs",
    "ExternalSecrets",
    "ExternalSecretsArgs",
    "FleetApplicationSets",
    "FleetApplicationSetsArgs",
    "ManagementHub",
    "ManagementHubArgs",
    "Onboarding",
    "SpokeCluster",
    "SpokeClusterArgs",
    "VaultIdentity",
    "VaultIdentityArgs",
    "hub_store",
    "kv_mounts",
]
