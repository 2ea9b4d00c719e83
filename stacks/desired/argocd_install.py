"""Argo CD as it goes onto the hub: its install manifest, with Fleet's settings in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacks.desired import crds
from stacks.desired.objects import CRD, KubernetesObject
from stacks.model.errors import ManifestError
from stacks.model.fleet import Fleet

PROJECT_CRD = "appprojects.argoproj.io"
CONTROLLER = "argocd-application-controller"
REPLICAS_VARIABLE = "ARGOCD_CONTROLLER_REPLICAS"
_CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", CRD, "Namespace", "PriorityClass"}


@dataclass(frozen=True)
class Installation:
    """The objects of Argo CD: its CRDs, which outlive the stack, and the rest, which needs them."""

    crds: tuple[KubernetesObject, ...]
    rest: tuple[KubernetesObject, ...]


def installation(fleet: Fleet, manifest: Sequence[KubernetesObject]) -> Installation:
    """What of `manifest` goes onto the hub, and how.

    Raises ManifestError as `sharded` does, and where its AppProjects can't tell one cluster-wide object from another.
    """
    objects = sharded(manifest, fleet.argocd.controller_replicas)
    if any(map(takes_no_names, objects)):
        raise ManifestError(
            "fleet:argocd.manifest is of a release before 3.3, whose AppProjects can't keep single namespaces shut; "
            "take 3.3 or later"
        )
    config = {**default_config(fleet), **fleet.argocd.config}
    return Installation(
        crds=tuple(crds.of(objects)),
        rest=tuple(
            placed(one, fleet.argocd.namespace, config) for one in objects if one["kind"] != CRD
        ),
    )


def default_config(fleet: Fleet) -> dict[str, str]:
    """Fleet's own settings in the ConfigMap `argocd-cm`; those of the stack file go over them."""
    return {
        # Labels are limited to 63 characters and are copied by tools that copy labels; annotations are neither.
        "application.resourceTrackingMethod": "annotation",
        # Unless the hub is a spoke of its own, it runs Argo CD and nothing that Argo CD deploys.
        "cluster.inClusterEnabled": "true" if fleet.hub_is_a_spoke else "false",
        # With least privilege on a spoke, some kinds can't be listed: watch the others instead of giving up on all.
        "resource.respectRBAC": "normal",
    }


def sharded(manifest: Sequence[KubernetesObject], replicas: int) -> list[KubernetesObject]:
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


def placed(one: KubernetesObject, namespace: str, config: Mapping[str, str]) -> KubernetesObject:
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


def takes_no_names(one: KubernetesObject) -> bool:
    """Whether it is the CRD of AppProjects whose lists of cluster-wide objects know kinds only."""
    if one["kind"] != CRD or one["metadata"]["name"] != PROJECT_CRD:
        return False
    schema = one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    listed = schema["properties"]["spec"]["properties"]["clusterResourceBlacklist"]
    return "name" not in listed["items"]["properties"]


def _is_controller(one: KubernetesObject) -> bool:
    return bool(one["kind"] == "StatefulSet" and one["metadata"]["name"] == CONTROLLER)


def _scaled(one: KubernetesObject, replicas: int) -> KubernetesObject:
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
