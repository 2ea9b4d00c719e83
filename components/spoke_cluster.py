"""A spoke, registered with the hub's Argo CD."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.management_hub import ManagementHub
from components.rbac import rbac_resource
from stacks.desired import argocd_manager, cluster_secret, contract
from stacks.desired.objects import ServiceAccount
from stacks.model.access import Endpoint
from stacks.model.auth import VaultAuth
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke


@dataclass(frozen=True, kw_only=True)
class SpokeClusterArgs:
    """The fleet, whose stack it is, the spoke and how it is reached, and the hub."""

    fleet: Fleet
    stack: str
    spoke: Spoke
    endpoint: Endpoint
    hub: ManagementHub


class SpokeCluster(pulumi.ComponentResource):
    """The identity that Argo CD has on the spoke, where Fleet makes one, and the cluster Secret on the hub.

    `opts.providers` holds the provider of the spoke where the identity is made. Its token is a ServiceAccount token
    Secret, which does not expire: docs/rotate.md says how to renew it. A credential in Vault is put into the cluster
    Secret on the hub, by External Secrets. That Secret is protected where the spoke is: what it depends on stays with
    it, in a `pulumi destroy` too. Does not make the cluster itself, and deletes no workload when it goes: see
    docs/remove-a-cluster.md.
    """

    def __init__(
        self, name: str, args: SpokeClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:SpokeCluster", name, None, opts)
        if args.spoke.quarantine:
            pulumi.log.warn(
                f"{name} is in quarantine ({args.spoke.quarantine}): while it does not answer, it is left as it is",
                self,
            )
        if isinstance(args.spoke.auth, VaultAuth):
            self._rendered_on_the_hub(name, args)
        else:
            credential: Mapping[str, Any] = {}
            bindings: Sequence[pulumi.Resource] = ()
            if args.spoke.has_identity:
                who = argocd_manager.of(args.fleet, args.spoke)
                account = self._account(name, who)
                credential = {"token": self._token(name, who, account)}
                bindings = self._rights(name, args, account)
            elif args.spoke.credential_from_context:
                assert args.endpoint.access
                credential = args.endpoint.access.user
            self._cluster_secret(name, args, credential, bindings)
        self.register_outputs({})

    def _cluster_secret(
        self,
        name: str,
        args: SpokeClusterArgs,
        credential: Mapping[str, Any],
        bindings: Sequence[pulumi.Resource],
    ) -> None:
        fleet, spoke, endpoint = args.fleet, args.spoke, args.endpoint
        config: pulumi.Output[str] = pulumi.Output.json_dumps(
            cluster_secret.config(spoke, endpoint, credential)
        )
        secret_config: pulumi.Output[str] = pulumi.Output.secret(config)
        kubernetes.core.v1.Secret(
            f"{name}-cluster-secret",
            metadata={
                "name": cluster_secret.name(spoke),
                "namespace": args.hub.namespace,
                "labels": contract.labels(fleet, args.stack, spoke),
                "annotations": contract.annotations(fleet, spoke),
            },
            type="Opaque",
            string_data=cluster_secret.data(fleet, spoke, endpoint, secret_config),
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=args.hub.provider,
                depends_on=[*bindings],
                protect=fleet.protects(spoke),
            ),
        )

    def _rendered_on_the_hub(self, name: str, args: SpokeClusterArgs) -> None:
        kubernetes.apiextensions.CustomResource(
            f"{name}-cluster-secret",
            api_version=cluster_secret.EXTERNAL_SECRET_VERSION,
            kind="ExternalSecret",
            metadata={
                "name": cluster_secret.name(args.spoke),
                "namespace": args.hub.namespace,
                "labels": {contract.STACK_LABEL: args.stack},
                # A credential that isn't in Vault is told here, and not by an Argo CD that knows no such cluster.
                "annotations": {
                    "pulumi.com/waitFor": "condition=Ready",
                    "pulumi.com/timeoutSeconds": "120",
                },
            },
            spec=cluster_secret.external_secret(args.fleet, args.stack, args.spoke, args.endpoint),
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=args.hub.provider,
                protect=args.fleet.protects(args.spoke),
            ),
        )

    def _account(self, name: str, who: ServiceAccount) -> kubernetes.core.v1.ServiceAccount:
        """Make `argocd-manager` on the spoke."""
        return kubernetes.core.v1.ServiceAccount(
            f"{name}-argocd-manager",
            metadata=argocd_manager.account(who)["metadata"],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _rights(
        self, name: str, args: SpokeClusterArgs, account: kubernetes.core.v1.ServiceAccount
    ) -> Sequence[pulumi.Resource]:
        """Give `account` its rights, in the whole spoke or in its namespaces; the bindings that do."""
        on_spoke = pulumi.ResourceOptions(parent=self)
        bindings = []
        for role, binding in argocd_manager.roles(args.fleet, args.spoke):
            namespace = role["metadata"].get("namespace")
            suffix = f"-{namespace}" if namespace else ""
            made = rbac_resource(f"{name}-argocd-manager-role{suffix}", role, on_spoke)
            # By their outputs, so that the engine knows what a binding stands on.
            linked = {
                **binding,
                "roleRef": {**binding["roleRef"], "name": made.metadata["name"]},
                "subjects": [
                    {**subject, "name": account.metadata["name"]} for subject in binding["subjects"]
                ],
            }
            bindings.append(
                rbac_resource(f"{name}-argocd-manager-role-binding{suffix}", linked, on_spoke)
            )
        return bindings

    def _token(
        self, name: str, who: ServiceAccount, account: kubernetes.core.v1.ServiceAccount
    ) -> pulumi.Output[str]:
        """Have a token made for `account`; secret."""
        wanted = argocd_manager.token(who)
        metadata: Any = {
            **wanted["metadata"],
            "annotations": {argocd_manager.ACCOUNT_ANNOTATION: account.metadata["name"]},
        }
        token = kubernetes.core.v1.Secret(
            f"{name}-argocd-manager-token",
            metadata=metadata,
            type=wanted["type"],
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["data"]),
        )
        return token.data.apply(_decoded)


def _decoded(data: Mapping[str, str] | None) -> str:
    # The server fills the token in after creation, so a preview of a new spoke has none yet.
    return base64.b64decode((data or {}).get("token", "")).decode()
