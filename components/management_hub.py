"""The management hub: the cluster that all else is steered from."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

import stacks
from components.providers import kubernetes_provider


@dataclass(frozen=True, kw_only=True)
class ManagementHubArgs:
    """The fleet, and how to reach its hub."""

    fleet: stacks.Fleet
    access: stacks.ClusterAccess


class ManagementHub(pulumi.ComponentResource):
    """The way to the hub and the namespace for Argo CD.

    Does not make the cluster itself, nor install anything: Argo CD is a component of its own.
    """

    provider: kubernetes.Provider
    """The provider of the hub, for everything else that lives there."""

    namespace: kubernetes.core.v1.Namespace
    """Argo CD's namespace."""

    def __init__(
        self, name: str, args: ManagementHubArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:ManagementHub", name, None, opts)
        self.provider = kubernetes_provider(name, args.access, pulumi.ResourceOptions(parent=self))
        self.namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata={"name": args.fleet.argocd.namespace},
            opts=pulumi.ResourceOptions(parent=self, provider=self.provider),
        )
        self.register_outputs({})
