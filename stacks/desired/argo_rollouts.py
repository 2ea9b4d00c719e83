"""Argo Rollouts as it goes onto a spoke: its install manifest, apart from its CRDs.

Pure. docs/adr/0035 says why Pulumi installs it.
"""

from __future__ import annotations

from stacks.desired.argocd_install import placed
from stacks.desired.crds import Manifest
from stacks.desired.objects import CRD, READ, READ_WRITE, KubernetesObject, RbacRule, rule
from stacks.model.fleet import Fleet

GROUP = "argoproj.io"
_NO_WAIT = {"pulumi.com/skipAwait": "true"}
INSTEAD = "take `argo_rollouts` out of this spoke's `addons`, and give Argo CD the rights to its kinds by `rbac.rules`"
"""What else to do where a spoke has it already."""

RIGHTS: list[RbacRule] = [
    rule(GROUP, ["analysistemplates", "rollouts"], READ_WRITE),
    # By these Argo CD's own actions resume, abort and promote; who may, its RBAC says.
    rule(GROUP, ["rollouts/status"], ["patch"]),
    # The controller makes these; Argo CD shows them below their Rollout.
    rule(GROUP, ["analysisruns", "experiments"], READ),
]
"""What Argo CD needs in a namespace to deploy Rollouts, to see what becomes of them, and to have people decide."""
CLUSTER_RIGHTS: list[RbacRule] = [rule(GROUP, ["clusteranalysistemplates"], READ)]
"""The same, for what is in no namespace: a service may use one, and only the platform's people make it."""


def namespace(fleet: Fleet) -> KubernetesObject:
    """The namespace that it is in."""
    assert fleet.argo_rollouts
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": fleet.argo_rollouts.namespace},
    }


def objects(fleet: Fleet, manifest: Manifest) -> list[KubernetesObject]:
    """All of `manifest` but its CRDs, in the namespace of the stack file.

    The manifest names no namespace on its objects and `argo-rollouts` on the subjects of its bindings.
    """
    assert fleet.argo_rollouts
    return [
        _unawaited(placed(one, fleet.argo_rollouts.namespace, {}))
        for one in manifest.objects
        if one["kind"] not in (CRD, "Namespace")
    ]


def _unawaited(one: KubernetesObject) -> KubernetesObject:
    """The Service of its metrics without Pulumi's wait for endpoints, ten seconds at least: no Rollout needs it.

    The spoke is registered only after all of these are there.
    """
    if one["kind"] == "Service":
        annotations = one["metadata"].get("annotations") or {}
        one["metadata"]["annotations"] = {**annotations, **_NO_WAIT}
    return one
