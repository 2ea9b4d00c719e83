"""Argo CD on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.yaml.v2 import ConfigGroup

import stacks
from components import crds
from components.manifests import Manifest, ManifestError
from stacks.desired import crds as desired_crds
from stacks.contract import STACK_LABEL
from stacks.sets import PROJECT
from stacks.spoke import IN_CLUSTER_SERVER

API_VERSION = "argoproj.io/v1alpha1"
CONTROLLER = "argocd-application-controller"
REPLICAS_VARIABLE = "ARGOCD_CONTROLLER_REPLICAS"
_CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Namespace",
    "PriorityClass",
}


@dataclass(frozen=True, kw_only=True)
class ArgoCDArgs:
    """The fleet, whose stack it is, the way to the hub, the install manifest as objects, and the namespace it goes into
    once there.
    """

    fleet: stacks.Fleet
    stack: str
    access: stacks.ClusterAccess
    manifest: Sequence[Manifest]
    namespace: pulumi.Input[str]


class ArgoCD(pulumi.ComponentResource):
    """Argo CD from its own install manifest, with the `default` AppProject emptied, and the AppProject `platform`.

    The CRDs outlive the stack: deleting them would delete every Application, and with them, where finalizers say so,
    the workloads. Does not set up ingress, SSO or notifications.
    """

    crds: kubernetes.core.v1.ConfigMap
    """The record of Argo CD's CRDs: what other AppProjects depend on."""

    project: kubernetes.apiextensions.CustomResource
    """The AppProject `platform`: what ApplicationSets depend on."""

    def __init__(
        self, name: str, args: ArgoCDArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:ArgoCD", name, None, opts)
        settings = args.fleet.argocd
        try:
            manifest = sharded(args.manifest, settings.controller_replicas)
        except ManifestError as error:
            raise pulumi.RunError(str(error)) from None
        rest = [one for one in manifest if one["kind"] != desired_crds.KIND]
        config = {**default_config(args.fleet), **settings.config}
        labels = {STACK_LABEL: args.stack}
        self.crds = crds.record(
            f"{name}-crds",
            "argocd-crds",
            desired_crds.of(manifest),
            args.access,
            args.namespace,
            pulumi.ResourceOptions(parent=self),
        )
        # Argo CD makes the `default` project at its first start, open to everything; being first keeps it shut.
        default_project = kubernetes.apiextensions.CustomResource(
            f"{name}-default-project",
            api_version=API_VERSION,
            kind="AppProject",
            metadata={"name": "default", "namespace": args.namespace, "labels": labels},
            spec={"description": "Emptied by Fleet: nothing may be deployed through it."},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.crds]),
        )
        # It was a child of the ApplicationSets, until stacks could share a hub.
        before = pulumi.Alias(
            name="fleet-project",
            parent=pulumi.create_urn("fleet", "fleet:index:FleetApplicationSets"),
        )
        self.project = kubernetes.apiextensions.CustomResource(
            f"{name}-project",
            api_version=API_VERSION,
            kind="AppProject",
            metadata={"name": PROJECT, "namespace": args.namespace, "labels": labels},
            spec=project_spec(args.fleet),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.crds], aliases=[before]),
        )
        ConfigGroup(
            name,
            objs=[placed(one, settings.namespace, config) for one in rest],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.crds, default_project]),
        )
        self.register_outputs({})


def default_config(fleet: stacks.Fleet) -> dict[str, str]:
    """Fleet's own settings in the ConfigMap `argocd-cm`; those of the stack file go over them."""
    return {
        # Labels are limited to 63 characters and are copied by tools that copy labels; annotations are neither.
        "application.resourceTrackingMethod": "annotation",
        # Unless the hub is a spoke of its own, it runs Argo CD and nothing that Argo CD deploys.
        "cluster.inClusterEnabled": "true" if _hub_is_a_spoke(fleet) else "false",
        # With least privilege on a spoke, some kinds can't be listed: watch the others instead of giving up on all.
        "resource.respectRBAC": "normal",
    }


def destinations(fleet: stacks.Fleet, namespace: str) -> list[dict[str, str]]:
    """Where an AppProject may deploy to: this namespace of every spoke, and never the hub, unless it is a spoke too.

    These are patterns, so that a new spoke changes nothing here.
    """
    allowed = [{"server": "*", "namespace": namespace}]
    if not _hub_is_a_spoke(fleet):
        allowed.append({"server": f"!{IN_CLUSTER_SERVER}", "namespace": "*"})
    return allowed


def project_spec(fleet: stacks.Fleet) -> dict[str, Any]:
    """The AppProject `platform`: one repo, every spoke, and few cluster-scoped kinds."""
    return {
        "description": "What Fleet's ApplicationSets deploy to the spokes.",
        "sourceRepos": [fleet.gitops.repo],
        "destinations": destinations(fleet, "*"),
        "clusterResourceWhitelist": [
            {"group": "", "kind": "Namespace"},
            {"group": "rbac.authorization.k8s.io", "kind": "ClusterRole"},
            {"group": "rbac.authorization.k8s.io", "kind": "ClusterRoleBinding"},
        ],
    }


def sharded(manifest: Sequence[Manifest], replicas: int) -> list[Manifest]:
    """`manifest` with that many application controllers, which also learn how many they are.

    Each takes its share of the clusters by that number: were it another than the StatefulSet's, spokes would go
    without a controller. With one replica the manifest stays as it came.
    Raises ManifestError where more than one is asked for and the manifest has no such StatefulSet.
    """
    if replicas == 1:
        return list(manifest)
    if not any(_is_controller(one) for one in manifest):
        raise ManifestError(
            f"fleet:argocd.controllerReplicas is {replicas}, but the manifest has no StatefulSet {CONTROLLER}; "
            "take Argo CD's own install manifest, or leave controllerReplicas out"
        )
    return [_scaled(one, replicas) if _is_controller(one) else one for one in manifest]


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


def _hub_is_a_spoke(fleet: stacks.Fleet) -> bool:
    return any(spoke.in_cluster for spoke in fleet.spokes)


def _is_controller(one: Manifest) -> bool:
    return bool(one["kind"] == "StatefulSet" and one["metadata"]["name"] == CONTROLLER)


def _scaled(one: Manifest, replicas: int) -> Manifest:
    pod = one["spec"]["template"]
    containers = [
        {**container, "env": _told(container.get("env", []), replicas)}
        if container["name"] == CONTROLLER
        else container
        for container in pod["spec"]["containers"]
    ]
    template = {**pod, "spec": {**pod["spec"], "containers": containers}}
    return {**one, "spec": {**one["spec"], "replicas": replicas, "template": template}}


def _told(env: Sequence[dict[str, Any]], replicas: int) -> list[dict[str, Any]]:
    others = [variable for variable in env if variable["name"] != REPLICAS_VARIABLE]
    return [*others, {"name": REPLICAS_VARIABLE, "value": str(replicas)}]


def _subject(subject: dict[str, Any], namespace: str) -> dict[str, Any]:
    return (
        {**subject, "namespace": namespace} if subject.get("kind") == "ServiceAccount" else subject
    )
