"""Who a cluster is to Vault, and the engines that its secrets are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_vault

from stacks.desired import vault_identity
from stacks.desired.vault_identity import Grant, Identity
from stacks.model.fleet import Fleet
from stacks.model.spoke import IN_CLUSTER_SERVER
from stacks.model.vault import Vault


@dataclass(frozen=True, kw_only=True)
class VaultIdentityArgs:
    """The fleet, who the cluster is to Vault, and Vault's provider.

    `server` is the address of the cluster's API server as the hub reaches it, `local_server` as this machine does;
    `ca_pem` is its CA, empty where public CAs vouch for it. `public_keys` are PEM files of the keys that sign its
    tokens; without any, Vault asks the issuer. With `protect` Pulumi refuses to delete any of it.
    """

    fleet: Fleet
    identity: Identity
    server: str
    local_server: str = ""
    ca_pem: str
    public_keys: Sequence[str]
    provider: pulumi_vault.Provider
    protect: bool = False

    @property
    def ca(self) -> str | None:
        """The CA as Vault keeps it: with a line break at its end every `up` would change it."""
        return self.ca_pem.strip() or None


class VaultIdentity(pulumi.ComponentResource):
    """An auth mount for one cluster, with a role and a policy for each of its stores.

    No cluster can log in with another's token, and all of it goes when the cluster goes. Vault keeps no credential of
    the cluster. Does not make Vault namespaces, nor anything on the cluster itself.
    """

    def __init__(
        self, name: str, args: VaultIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:VaultIdentity", name, None, opts)
        self._args = args
        self._in_vault = pulumi.ResourceOptions(
            parent=self,
            provider=args.provider,
            protect=args.protect,
            replacement_trigger=_parent(args.fleet),
            # What it was a part of before External Secrets on the cluster became a component of its own.
            aliases=[pulumi.Alias(parent=pulumi.create_urn(name, "fleet:index:SecretStore"))],
        )
        who = args.identity
        kubernetes = who.method == "kubernetes"
        mount = self._kubernetes_mount(name) if kubernetes else self._jwt_mount(name)
        make_role = self._kubernetes_role if kubernetes else self._jwt_role
        for grant in who.grants:
            make_role(name, grant, self._policy(name, grant), mount)
        self.register_outputs({})

    def _policy(self, name: str, grant: Grant) -> pulumi_vault.Policy:
        return pulumi_vault.Policy(
            f"{name}-policy{grant.suffix}",
            name=grant.policy,
            policy=grant.policy_text,
            namespace=self._args.identity.relative_namespace,
            opts=self._in_vault,
        )

    def _jwt_mount(self, name: str) -> pulumi.Output[str | None]:
        args, who = self._args, self._args.identity
        keys = vault_identity.public_keys(args.public_keys)
        # Where the cluster is its own issuer, its certificate is of the cluster's CA, not of a public one.
        own_issuer = who.issuer in (args.server, args.local_server)
        mount = pulumi_vault.jwt.AuthBackend(
            f"{name}-auth",
            path=who.path,
            type="jwt",
            description=_description(who),
            jwt_validation_pubkeys=keys or None,
            oidc_discovery_url=None if keys else who.issuer,
            oidc_discovery_ca_pem=args.ca if own_issuer and not keys else None,
            bound_issuer=who.issuer,
            namespace=who.relative_namespace,
            opts=self._in_vault,
        )
        return mount.path

    def _jwt_role(
        self,
        name: str,
        grant: Grant,
        policy: pulumi_vault.Policy,
        mount: pulumi.Output[str | None],
    ) -> None:
        vault, who = _vault(self._args.fleet), self._args.identity
        pulumi_vault.jwt.AuthBackendRole(
            f"{name}-role{grant.suffix}",
            backend=mount,
            role_name=grant.role,
            role_type="jwt",
            user_claim="sub",
            bound_audiences=[vault.audience],
            bound_subject=who.subject,
            token_policies=[policy.name],
            token_ttl=vault.token_ttl,
            token_max_ttl=vault.token_max_ttl or vault.token_ttl,
            namespace=who.relative_namespace,
            opts=self._in_vault,
        )

    def _kubernetes_mount(self, name: str) -> pulumi.Output[str | None]:
        args, who = self._args, self._args.identity
        mount = pulumi_vault.AuthBackend(
            f"{name}-auth",
            type="kubernetes",
            path=who.path,
            description=_description(who),
            namespace=who.relative_namespace,
            opts=self._in_vault,
        )
        in_cluster = args.server == IN_CLUSTER_SERVER and args.local_server
        config = pulumi_vault.kubernetes.AuthBackendConfig(
            f"{name}-auth-config",
            backend=mount.path,
            # No reviewer's token: each token that logs in is reviewed with itself. And Vault is not to take the token
            # of the pod that it runs in, which is of another cluster.
            disable_local_ca_jwt=True,
            kubernetes_host=args.local_server if in_cluster else args.server,
            kubernetes_ca_cert=args.ca,
            namespace=who.relative_namespace,
            opts=self._in_vault,
        )
        # By way of the configuration: without it no role could log in.
        return config.backend

    def _kubernetes_role(
        self,
        name: str,
        grant: Grant,
        policy: pulumi_vault.Policy,
        mount: pulumi.Output[str | None],
    ) -> None:
        vault, who = _vault(self._args.fleet), self._args.identity
        pulumi_vault.kubernetes.AuthBackendRole(
            f"{name}-role{grant.suffix}",
            backend=mount,
            role_name=grant.role,
            bound_service_account_names=[who.account],
            bound_service_account_namespaces=[who.account_namespace],
            audience=vault.audience,
            token_policies=[policy.name],
            token_ttl=vault.token_ttl,
            token_max_ttl=vault.token_max_ttl or vault.token_ttl,
            namespace=who.relative_namespace,
            opts=self._in_vault,
        )


def kv_mounts(fleet: Fleet, provider: pulumi_vault.Provider) -> None:
    """The KV version 2 engines that the stack's clusters read from, where `fleet:vault.manageMount` asks for them.

    They are never deleted: that would delete every secret in them. One that is there already is an error; it is taken
    over by `pulumi import`, or left to whoever made it.
    """
    if not _vault(fleet).manage_mount:
        return
    for namespace, mount in vault_identity.kv_mounts(fleet):
        pulumi_vault.Mount(
            f"kv-{namespace}:{mount}" if namespace else f"kv-{mount}",
            path=mount,
            type="kv",
            options={"version": "2"},
            description="Secrets of the fleet",
            namespace=namespace,
            opts=pulumi.ResourceOptions(
                provider=provider, replacement_trigger=_parent(fleet), retain_on_delete=True
            ),
        )


def _vault(fleet: Fleet) -> Vault:
    assert fleet.vault
    return fleet.vault


def _parent(fleet: Fleet) -> str:
    """By which Pulumi makes all of it anew below another `parentNamespace`: the provider's namespace is none of theirs.

    Never empty: Pulumi takes a trigger that wasn't there before for no change.
    """
    return _vault(fleet).parent_namespace or "/"


def _description(who: Identity) -> str:
    return f"External Secrets on {who.cluster}"
