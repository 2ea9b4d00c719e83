"""Argo Rollouts on a spoke."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.yaml.v2 import ConfigGroup

from components import crds
from components.providers import rendered_by
from stacks.desired import argo_rollouts
from stacks.desired.crds import Manifest
from stacks.model.access import ClusterAccess
from stacks.model.fleet import Fleet


@dataclass(frozen=True, kw_only=True)
class ArgoRolloutsArgs:
    """The fleet, the install manifest, and the way to the spoke.

    `renderer` is the hub's provider where the cluster is in quarantine, else None: see `providers.rendered_by`.
    """

    fleet: Fleet
    manifest: Manifest
    access: ClusterAccess
    renderer: kubernetes.Provider | None


class ArgoRollouts(pulumi.ComponentResource):
    """Argo Rollouts from its own install manifest.

    `opts.providers` holds the provider of the spoke. The CRDs outlive the stack: deleting them would delete every
    Rollout, and with it the Pods of running services. Installs no dashboard and sets up no notifications.
    """

    made: pulumi.Output[list[pulumi.Resource]]
    """All of it: the component stands for none of the manifest's objects, and who depends on it needs each."""

    def __init__(
        self, name: str, args: ArgoRolloutsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:ArgoRollouts", name, None, opts)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-argo-rollouts-namespace",
            metadata=argo_rollouts.namespace(args.fleet)["metadata"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        record = crds.record(
            f"{name}-argo-rollouts-crds",
            crds.CrdsArgs(
                name="argo-rollouts-crds",
                namespace=namespace.metadata["name"],
                crds=args.manifest.crds,
                digests=args.manifest.digests,
                access=args.access,
                instead=argo_rollouts.INSTEAD,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
        )
        installed = ConfigGroup(
            f"{name}-argo-rollouts",
            objs=argo_rollouts.objects(args.fleet, args.manifest),
            opts=pulumi.ResourceOptions.merge(
                rendered_by(self, args.renderer),
                pulumi.ResourceOptions(depends_on=[namespace, record]),
            ),
        )
        self.made = installed.resources.apply(
            lambda found: [namespace, record, installed, *(found or ())]
        )
        self.register_outputs({})
