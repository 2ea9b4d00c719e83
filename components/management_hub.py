"""The management hub: the cluster that all else is steered from."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.providers import kubernetes_provider
from stacks.desired.contract import STACK_LABEL
from stacks.model.access import ClusterAccess
from stacks.model.fleet import Fleet


@dataclass(frozen=True, kw_only=True)
class ManagementHubArgs:
    """The fleet, whose stack it is, and how to reach its hub."""

    fleet: Fleet
    stack: str
    access: ClusterAccess


class ManagementHub(pulumi.ComponentResource):
    """The way to the hub, and the namespace for Argo CD where this stack owns the hub.

    A hub that only other stacks have spokes on is protected: `pulumi destroy` refuses to delete that namespace. Does
    not make the cluster itself, nor install anything: Argo CD is a component of its own.
    """

    provider: kubernetes.Provider
    """The provider of the hub, for everything else that lives there."""

    access: ClusterAccess
    """How this machine reaches the hub."""

    namespace: pulumi.Input[str]
    """The name of Argo CD's namespace, once that exists."""

    def __init__(
        self, name: str, args: ManagementHubArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:ManagementHub", name, None, opts)
        self.access = args.access
        self.provider = kubernetes_provider(name, args.access, pulumi.ResourceOptions(parent=self))
        self.namespace = args.fleet.argocd.namespace
        if args.fleet.owns_hub:
            made = kubernetes.core.v1.Namespace(
                f"{name}-namespace",
                metadata={"name": self.namespace, "labels": {STACK_LABEL: args.stack}},
                opts=pulumi.ResourceOptions(
                    parent=self,
                    provider=self.provider,
                    # With it would go the cluster Secrets and ApplicationSets of every stack that shares the hub.
                    protect=all(spoke.in_cluster for spoke in args.fleet.spokes),
                ),
            )
            self.namespace = made.metadata["name"]
        self.register_outputs({})
