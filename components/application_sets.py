"""The ApplicationSets: from here on the gitops-config repo decides what runs on the spokes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

import stacks
from components.argocd import ArgoCD
from stacks.contract import CLUSTER_SECRET_TYPE

PROJECT = "platform"
API_VERSION = "argoproj.io/v1alpha1"
SYNC_POLICY = {
    "automated": {"prune": True, "selfHeal": True},
    "syncOptions": ["CreateNamespace=true"],
    "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
}


@dataclass(frozen=True, kw_only=True)
class FleetApplicationSetsArgs:
    """The fleet, Argo CD whose kinds are used, and its namespace."""

    fleet: stacks.Fleet
    argocd: ArgoCD
    namespace: pulumi.Input[str]


class FleetApplicationSets(pulumi.ComponentResource):
    """The AppProject `platform` and the ApplicationSets of the stack.

    The sets create and update Applications and never delete one: controllers have deleted whole fleets when a generator
    returned nothing for a moment. Deleting is a step of its own, see docs/remove-a-cluster.md.
    """

    def __init__(
        self, name: str, args: FleetApplicationSetsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:FleetApplicationSets", name, None, opts)
        project = kubernetes.apiextensions.CustomResource(
            f"{name}-project",
            api_version=API_VERSION,
            kind="AppProject",
            metadata={"name": PROJECT, "namespace": args.namespace},
            spec=project_spec(args.fleet.gitops),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.argocd.crds]),
        )
        for one in args.fleet.application_sets:
            kubernetes.apiextensions.CustomResource(
                f"{name}-{one.name}",
                api_version=API_VERSION,
                kind="ApplicationSet",
                metadata={"name": one.name, "namespace": args.namespace},
                spec=set_spec(one, args.fleet.gitops),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[project]),
            )
        self.register_outputs({})


def project_spec(gitops: stacks.GitOps) -> dict[str, Any]:
    """The AppProject: one repo, every spoke, never the hub, and few cluster-scoped kinds.

    Destinations are patterns, so that a new spoke changes nothing here.
    """
    return {
        "description": "What Fleet's ApplicationSets deploy to the spokes.",
        "sourceRepos": [gitops.repo],
        "destinations": [
            {"server": "*", "namespace": "*"},
            {"server": "!https://kubernetes.default.svc", "namespace": "*"},
        ],
        "clusterResourceWhitelist": [
            {"group": "", "kind": "Namespace"},
            {"group": "rbac.authorization.k8s.io", "kind": "ClusterRole"},
            {"group": "rbac.authorization.k8s.io", "kind": "ClusterRoleBinding"},
        ],
    }


def set_spec(one: stacks.ApplicationSet, gitops: stacks.GitOps) -> dict[str, Any]:
    """The spec of one ApplicationSet."""
    # Argo CD counts itself as a cluster too, unless a label of cluster Secrets is asked for.
    clusters = {"clusters": {"selector": {"matchLabels": one.selector or CLUSTER_SECRET_TYPE}}}
    if one.layout == "platform":
        generator: dict[str, Any] = clusters
        application, path, namespace = "platform", "clusters/{{.name}}/platform", "platform"
    else:
        directories = [{"path": 'apps/*/overlays/{{index .metadata.labels "environment"}}'}]
        git = {
            "git": {"repoURL": gitops.repo, "revision": gitops.revision, "directories": directories}
        }
        generator = {"matrix": {"generators": [clusters, git]}}
        application = namespace = "{{index .path.segments 1}}"
        path = "{{.path.path}}"
    return {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [generator],
        "syncPolicy": {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True},
        "template": {
            "metadata": {
                "name": f"{{{{.name}}}}-{application}",
                "labels": {
                    "cluster_name": "{{.name}}",
                    "environment": '{{index .metadata.labels "environment"}}',
                },
            },
            "spec": {
                "project": PROJECT,
                "source": {"repoURL": gitops.repo, "targetRevision": gitops.revision, "path": path},
                "destination": {"server": "{{.server}}", "namespace": namespace},
                "syncPolicy": SYNC_POLICY,
            },
        },
    }
