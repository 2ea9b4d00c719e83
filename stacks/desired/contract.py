"""The contract: all that the gitops-config repo may know of a spoke.

These labels and annotations of the cluster Secret are what ApplicationSets select on and read. The names are
those that GitOps Bridge made common, so that gitops-config repos written for it work unchanged.
"""

import json

from stacks.desired import external_secrets_rights, vault_identity
from stacks.model.auth import EksAuth
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

CLUSTER_SECRET_TYPE = {"argocd.argoproj.io/secret-type": "cluster"}
STACK_LABEL = "fleet_stack"
"""On every object that a stack makes on the hub: whose it is, so that stacks sharing a hub don't touch each other's."""
DELIVERY_LABEL = "external_secrets_delivery"
STORES_ANNOTATION = "external_secrets_stores"
"""The spoke's ClusterSecretStores, and External Secrets' rights there, as JSON: what Argo CD makes with the chart."""

PROTECTED_ANNOTATION = "fleet_protected"
"""That Pulumi's state has the spoke as protected: by it a preflight knows that deleting would be refused half-way."""

IDENTITY_ANNOTATION = "fleet_identity"
"""Which cluster it is, by the UID of its namespace kube-system: so stacks that share a hub tell one by two names."""


def labels(fleet: Fleet, stack: str, spoke: Spoke) -> dict[str, str]:
    """The labels of a spoke's cluster Secret, sorted by name; the spoke's own never override Fleet's."""
    ours = {
        **CLUSTER_SECRET_TYPE,
        STACK_LABEL: stack,
        "cluster_name": spoke.name,
        "enable_external_secrets": "true",
        DELIVERY_LABEL: fleet.delivery_of(spoke),
        "environment": spoke.environment,
        "region": spoke.region,
        **({"tier": spoke.tier} if spoke.tier else {}),
        **{f"enable_{addon}": "true" for addon in spoke.addons},
    }
    return dict(sorted({**spoke.labels, **ours}.items()))


def annotations(fleet: Fleet, spoke: Spoke) -> dict[str, str]:
    """The annotations of a spoke's cluster Secret, sorted by name; the spoke's own never override Fleet's."""
    settings = fleet.external_secrets
    assert settings
    ours = {
        "addons_repo_basepath": "clusters/",
        "addons_repo_path": f"{spoke.name}/platform",
        "addons_repo_revision": fleet.gitops.revision,
        "addons_repo_url": fleet.gitops.repo,
        "external_secrets_namespace": settings.namespace,
        "external_secrets_service_account": settings.service_account,
        "workload_repo_basepath": "apps/",
        "workload_repo_path": f"*/overlays/{spoke.environment}",
        "workload_repo_revision": fleet.gitops.revision,
        "workload_repo_url": fleet.gitops.repo,
    }
    if isinstance(spoke.auth, EksAuth):
        ours["aws_cluster_name"] = spoke.auth.cluster_name
        ours["aws_region"] = spoke.region
    if spoke.identity:
        ours[IDENTITY_ANNOTATION] = spoke.identity
    if fleet.protects(spoke):
        ours[PROTECTED_ANNOTATION] = "true"
    if fleet.delivery_of(spoke) == "argocd":
        made = external_secrets_rights.delivered(fleet, vault_identity.of_spoke(fleet, spoke))
        ours[STORES_ANNOTATION] = json.dumps(made, sort_keys=True, separators=(",", ":"))
    return dict(sorted({**spoke.annotations, **ours}.items()))
