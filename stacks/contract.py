"""The contract: all that the gitops-config repo may know of a spoke.

These labels and annotations of the cluster Secret are what ApplicationSets select on and read. The names are
those that GitOps Bridge made common, so that gitops-config repos written for it work unchanged.
"""

from stacks.model import Fleet, Spoke

CLUSTER_SECRET_TYPE = {"argocd.argoproj.io/secret-type": "cluster"}
EXTERNAL_SECRETS_SERVICE_ACCOUNT = "external-secrets"


def labels(spoke: Spoke) -> dict[str, str]:
    """The labels of a spoke's cluster Secret, sorted by name; the spoke's own never override Fleet's."""
    ours = {
        **CLUSTER_SECRET_TYPE,
        "cluster_name": spoke.name,
        "enable_external_secrets": "true",
        "environment": spoke.environment,
        "region": spoke.region,
    }
    return dict(sorted({**spoke.labels, **ours}.items()))


def annotations(fleet: Fleet, spoke: Spoke) -> dict[str, str]:
    """The annotations of a spoke's cluster Secret, sorted by name; the spoke's own never override Fleet's."""
    ours = {
        "addons_repo_basepath": "clusters/",
        "addons_repo_path": f"{spoke.name}/platform",
        "addons_repo_revision": fleet.gitops.revision,
        "addons_repo_url": fleet.gitops.repo,
        "external_secrets_namespace": fleet.external_secrets.namespace,
        "external_secrets_service_account": EXTERNAL_SECRETS_SERVICE_ACCOUNT,
        "workload_repo_basepath": "apps/",
        "workload_repo_path": f"*/overlays/{spoke.environment}",
        "workload_repo_revision": fleet.gitops.revision,
        "workload_repo_url": fleet.gitops.repo,
    }
    return dict(sorted({**spoke.annotations, **ours}.items()))
