"""Argo CD on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.yaml.v2 import ConfigGroup

import stacks
from components.manifests import Manifest

# Merged under the stack's own settings into the ConfigMap argocd-cm.
DEFAULT_CONFIG = {
    # Labels are limited to 63 characters and are copied by tools that copy labels; annotations are neither.
    "application.resourceTrackingMethod": "annotation",
    # The hub runs Argo CD and nothing that Argo CD deploys.
    "cluster.inClusterEnabled": "false",
}
_CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Namespace",
    "PriorityClass",
}


@dataclass(frozen=True, kw_only=True)
class ArgoCDArgs:
    """The stack's settings, the install manifest as objects, and the namespace it goes into once that exists."""

    settings: stacks.ArgoCD
    manifest: Sequence[Manifest]
    namespace: pulumi.Input[str]


class ArgoCD(pulumi.ComponentResource):
    """Argo CD from its own install manifest, with the `default` AppProject emptied.

    The CRDs outlive the stack (`retain_on_delete`): deleting them would delete every Application, and with them,
    where finalizers say so, the workloads. Does not set up ingress, SSO or notifications.
    """

    crds: ConfigGroup
    """Argo CD's CRDs: what Applications, AppProjects and ApplicationSets depend on."""

    def __init__(
        self, name: str, args: ArgoCDArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:ArgoCD", name, None, opts)
        crds = [one for one in args.manifest if one["kind"] == "CustomResourceDefinition"]
        rest = [one for one in args.manifest if one["kind"] != "CustomResourceDefinition"]
        config = {**DEFAULT_CONFIG, **args.settings.config}
        self.crds = ConfigGroup(
            f"{name}-crds",
            objs=crds,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        # Argo CD makes the `default` project at its first start, open to everything; being first keeps it shut.
        default_project = kubernetes.apiextensions.CustomResource(
            f"{name}-default-project",
            api_version="argoproj.io/v1alpha1",
            kind="AppProject",
            metadata={"name": "default", "namespace": args.namespace},
            spec={"description": "Emptied by Fleet: nothing may be deployed through it."},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.crds]),
        )
        ConfigGroup(
            name,
            objs=[placed(one, args.settings.namespace, config) for one in rest],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.crds, default_project]),
        )
        self.register_outputs({})


def placed(one: Manifest, namespace: str, config: Mapping[str, str]) -> Manifest:
    """One object of the install manifest, put into `namespace`, with `config` merged into `argocd-cm`.

    The manifest names no namespace on its objects and `argocd` on the subjects of its bindings.
    """
    one = {**one, "metadata": dict(one["metadata"])}
    if one["kind"] not in _CLUSTER_SCOPED:
        one["metadata"]["namespace"] = namespace
    if "subjects" in one:
        one["subjects"] = [_subject(subject, namespace) for subject in one["subjects"]]
    if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "argocd-cm":
        one["data"] = {**one.get("data", {}), **config}
    return one


def _subject(subject: dict[str, Any], namespace: str) -> dict[str, Any]:
    return (
        {**subject, "namespace": namespace} if subject.get("kind") == "ServiceAccount" else subject
    )
