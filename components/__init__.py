"""HOW a fleet is made: one Pulumi component per file."""

from components.application_sets import FleetApplicationSets, FleetApplicationSetsArgs
from components.argocd import ArgoCD, ArgoCDArgs
from components.management_hub import ManagementHub, ManagementHubArgs
from components.secret_store import SecretStore, SecretStoreArgs
from components.spoke_cluster import SpokeCluster, SpokeClusterArgs

__all__ = [
    "ArgoCD",
    "ArgoCDArgs",
    "FleetApplicationSets",
    "FleetApplicationSetsArgs",
    "ManagementHub",
    "ManagementHubArgs",
    "SecretStore",
    "SecretStoreArgs",
    "SpokeCluster",
    "SpokeClusterArgs",
]
