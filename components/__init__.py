"""HOW a fleet is made: one Pulumi component per file."""

from components.application_sets import FleetApplicationSets, FleetApplicationSetsArgs
from components.argo_rollouts import ArgoRollouts, ArgoRolloutsArgs
from components.argocd import ArgoCD, ArgoCDArgs
from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.management_hub import ManagementHub, ManagementHubArgs
from components.onboarding import OnboardingArgs, onboard_spokes
from components.recorded import record_identities, recorded_identities
from components.refusal import refuse
from components.spoke_cluster import SpokeCluster, SpokeClusterArgs
from components.vault_identity import VaultIdentity, VaultIdentityArgs
from components.waiting import wait_as_pulumi_means_it

__all__ = [
    "ArgoCD",
    "ArgoCDArgs",
    "ArgoRollouts",
    "ArgoRolloutsArgs",
    "ExternalSecrets",
    "ExternalSecretsArgs",
    "FleetApplicationSets",
    "FleetApplicationSetsArgs",
    "ManagementHub",
    "ManagementHubArgs",
    "OnboardingArgs",
    "SpokeCluster",
    "SpokeClusterArgs",
    "VaultIdentity",
    "VaultIdentityArgs",
    "onboard_spokes",
    "record_identities",
    "recorded_identities",
    "refuse",
    "wait_as_pulumi_means_it",
]
