"""A spoke, registered with the hub's Argo CD."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

import stacks
from components.management_hub import ManagementHub
from stacks import contract

# The names that `argocd cluster add` uses, kept for parity.
SERVICE_ACCOUNT = "argocd-manager"
NAMESPACE = "kube-system"


@dataclass(frozen=True, kw_only=True)
class SpokeClusterArgs:
    """The fleet, the spoke and how to reach it, the hub and Argo CD's namespace there."""

    fleet: stacks.Fleet
    spoke: stacks.Spoke
    access: stacks.ClusterAccess
    hub: ManagementHub
    namespace: pulumi.Input[str]


class SpokeCluster(pulumi.ComponentResource):
    """The identity that Argo CD has on the spoke, and the cluster Secret that tells the hub of it.

    `opts.providers` holds the provider of the spoke. The token is a ServiceAccount token Secret, which does not expire:
    docs/rotate.md says how to renew it. Does not make the cluster itself, and deletes no workload when it goes: see
    docs/remove-a-cluster.md.
    """

    cluster_secret: kubernetes.core.v1.Secret
    """The cluster Secret on the hub."""

    def __init__(
        self, name: str, args: SpokeClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:SpokeCluster", name, None, opts)
        token = self._identity(name)
        config: pulumi.Output[str] = pulumi.Output.json_dumps(
            {
                "bearerToken": token,
                "tlsClientConfig": {"insecure": False, "caData": args.access.ca_data},
            }
        )
        secret_config: pulumi.Output[str] = pulumi.Output.secret(config)
        self.cluster_secret = kubernetes.core.v1.Secret(
            f"{name}-cluster-secret",
            metadata={
                "name": f"cluster-{name}",
                "namespace": args.namespace,
                "labels": contract.labels(args.spoke),
                "annotations": contract.annotations(args.fleet, args.spoke),
            },
            type="Opaque",
            string_data={"name": name, "server": args.spoke.server, "config": secret_config},
            opts=pulumi.ResourceOptions(parent=self, provider=args.hub.provider),
        )
        self.register_outputs({})

    def _identity(self, name: str) -> pulumi.Output[str]:
        """Make `argocd-manager` on the spoke; its token, secret."""
        on_spoke = pulumi.ResourceOptions(parent=self)
        account = kubernetes.core.v1.ServiceAccount(
            f"{name}-argocd-manager",
            metadata={"name": SERVICE_ACCOUNT, "namespace": NAMESPACE},
            opts=on_spoke,
        )
        role = kubernetes.rbac.v1.ClusterRole(
            f"{name}-argocd-manager-role",
            metadata={"name": f"{SERVICE_ACCOUNT}-role"},
            rules=[
                {"api_groups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"non_resource_urls": ["*"], "verbs": ["*"]},
            ],
            opts=on_spoke,
        )
        kubernetes.rbac.v1.ClusterRoleBinding(
            f"{name}-argocd-manager-role-binding",
            metadata={"name": f"{SERVICE_ACCOUNT}-role-binding"},
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role.metadata["name"],
            },
            subjects=[
                {"kind": "ServiceAccount", "name": account.metadata["name"], "namespace": NAMESPACE}
            ],
            opts=on_spoke,
        )
        token = kubernetes.core.v1.Secret(
            f"{name}-argocd-manager-token",
            metadata={
                "name": f"{SERVICE_ACCOUNT}-token",
                "namespace": NAMESPACE,
                "annotations": {"kubernetes.io/service-account.name": account.metadata["name"]},
            },
            type="kubernetes.io/service-account-token",
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["data"]),
        )
        return token.data.apply(_token)


def _token(data: Mapping[str, str] | None) -> str:
    # The server fills the token in after creation, so a preview of a new spoke has none yet.
    return base64.b64decode((data or {}).get("token", "")).decode()
