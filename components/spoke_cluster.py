"""A spoke, registered with the hub's Argo CD."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

import stacks
from components.management_hub import ManagementHub
from stacks import cluster_secret, contract, rights
from stacks.auth import VaultAuth
from stacks.reach import Reach


@dataclass(frozen=True, kw_only=True)
class SpokeClusterArgs:
    """The fleet, whose stack it is, the spoke and how it is reached, and the hub."""

    fleet: stacks.Fleet
    stack: str
    spoke: stacks.Spoke
    reach: Reach
    hub: ManagementHub


class SpokeCluster(pulumi.ComponentResource):
    """The identity that Argo CD has on the spoke, where Fleet makes one, and the cluster Secret on the hub.

    `opts.providers` holds the provider of the spoke where the identity is made. Its token is a ServiceAccount token
    Secret, which does not expire: docs/rotate.md says how to renew it. A credential in Vault is put into the cluster
    Secret on the hub, by External Secrets. Does not make the cluster itself, and deletes no workload when it goes: see
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
                account = self._account(name)
                credential = {"token": self._token(name, account)}
                bindings = self._rights(name, args, account)
            elif args.spoke.credential_from_context:
                assert args.reach.access
                credential = args.reach.access.user
            self._cluster_secret(name, args, credential, bindings)
        self.register_outputs({})

    def _cluster_secret(
        self,
        name: str,
        args: SpokeClusterArgs,
        credential: Mapping[str, Any],
        bindings: Sequence[pulumi.Resource],
    ) -> None:
        fleet, spoke, reach = args.fleet, args.spoke, args.reach
        config: pulumi.Output[str] = pulumi.Output.json_dumps(
            cluster_secret.config(spoke, reach, credential)
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
            string_data=cluster_secret.data(fleet, spoke, reach, secret_config),
            opts=pulumi.ResourceOptions(
                parent=self, provider=args.hub.provider, depends_on=[*bindings]
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
            spec=cluster_secret.external_secret(args.fleet, args.stack, args.spoke, args.reach),
            opts=pulumi.ResourceOptions(parent=self, provider=args.hub.provider),
        )

    def _account(self, name: str) -> kubernetes.core.v1.ServiceAccount:
        """Make `argocd-manager` on the spoke."""
        return kubernetes.core.v1.ServiceAccount(
            f"{name}-argocd-manager",
            metadata={"name": rights.ACCOUNT, "namespace": rights.NAMESPACE},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _rights(
        self, name: str, args: SpokeClusterArgs, account: kubernetes.core.v1.ServiceAccount
    ) -> Sequence[pulumi.Resource]:
        """Give `account` its rights, in the whole spoke or in its namespaces; the bindings that do."""
        on_spoke = pulumi.ResourceOptions(parent=self)
        rules = [_policy_rule(rule) for rule in rights.rules(args.fleet, args.spoke)]
        namespaces = args.fleet.rbac_of(args.spoke).namespaces
        subjects = [
            kubernetes.rbac.v1.SubjectArgs(
                kind="ServiceAccount",
                name=account.metadata["name"],
                namespace=rights.NAMESPACE,
            )
        ]
        if not namespaces:
            cluster_role = kubernetes.rbac.v1.ClusterRole(
                f"{name}-argocd-manager-role",
                metadata={"name": rights.ROLE},
                rules=rules,
                opts=on_spoke,
            )
            binding = kubernetes.rbac.v1.ClusterRoleBinding(
                f"{name}-argocd-manager-role-binding",
                metadata={"name": rights.BINDING},
                role_ref=_role_ref("ClusterRole", cluster_role.metadata["name"]),
                subjects=subjects,
                opts=on_spoke,
            )
            return [binding]
        bindings = []
        for namespace in namespaces:
            role = kubernetes.rbac.v1.Role(
                f"{name}-argocd-manager-role-{namespace}",
                metadata={"name": rights.ROLE, "namespace": namespace},
                rules=rules,
                opts=on_spoke,
            )
            in_namespace = kubernetes.rbac.v1.RoleBinding(
                f"{name}-argocd-manager-role-binding-{namespace}",
                metadata={"name": rights.BINDING, "namespace": namespace},
                role_ref=_role_ref("Role", role.metadata["name"]),
                subjects=subjects,
                opts=on_spoke,
            )
            bindings.append(in_namespace)
        return bindings

    def _token(self, name: str, account: kubernetes.core.v1.ServiceAccount) -> pulumi.Output[str]:
        """Have a token made for `account`; secret."""
        token = kubernetes.core.v1.Secret(
            f"{name}-argocd-manager-token",
            metadata={
                "name": rights.TOKEN,
                "namespace": rights.NAMESPACE,
                "annotations": {"kubernetes.io/service-account.name": account.metadata["name"]},
            },
            type="kubernetes.io/service-account-token",
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["data"]),
        )
        return token.data.apply(_decoded)


def _decoded(data: Mapping[str, str] | None) -> str:
    # The server fills the token in after creation, so a preview of a new spoke has none yet.
    return base64.b64decode((data or {}).get("token", "")).decode()


def _role_ref(kind: str, name: pulumi.Input[str]) -> kubernetes.rbac.v1.RoleRefArgs:
    return kubernetes.rbac.v1.RoleRefArgs(
        api_group="rbac.authorization.k8s.io", kind=kind, name=name
    )


def _policy_rule(rule: rights.RbacRule) -> kubernetes.rbac.v1.PolicyRuleArgs:
    return kubernetes.rbac.v1.PolicyRuleArgs(
        api_groups=rule.get("apiGroups"),
        resources=rule.get("resources"),
        resource_names=rule.get("resourceNames"),
        non_resource_urls=rule.get("nonResourceURLs"),
        verbs=rule["verbs"],
    )
