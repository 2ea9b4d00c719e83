"""Secrets for a spoke: its identity in Vault, External Secrets, and the store that joins them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_vault
from pulumi_kubernetes.helm.v4 import Chart
from pulumi_kubernetes.yaml.v2 import ConfigGroup

import stacks
from stacks.contract import EXTERNAL_SECRETS_SERVICE_ACCOUNT as SERVICE_ACCOUNT

STORE = "vault-backend"
ROLE = "external-secrets"


@dataclass(frozen=True, kw_only=True)
class SecretStoreArgs:
    """The fleet, the spoke, and the ways to it and to Vault."""

    fleet: stacks.Fleet
    spoke: stacks.Spoke
    access: stacks.ClusterAccess
    vault_provider: pulumi_vault.Provider


class SecretStore(pulumi.ComponentResource):
    """External Secrets on the spoke, with the ClusterSecretStore `vault-backend`.

    In Vault the spoke has an auth mount, a role and a policy of its own, so that no spoke can use another's token and
    all three go when the spoke goes. The CRDs of External Secrets outlive the stack: deleting them would delete every
    ExternalSecret, and with it the Secrets of running workloads. Does not write secrets to Vault, nor mount its engine.
    """

    def __init__(
        self, name: str, args: SecretStoreArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:SecretStore", name, None, opts)
        role = self._vault_identity(name, args)
        chart = self._external_secrets(name, args)
        self._store(name, args, depends_on=[role, chart])
        self.register_outputs({})

    def _vault_identity(self, name: str, args: SecretStoreArgs) -> pulumi_vault.jwt.AuthBackendRole:
        in_vault = pulumi.ResourceOptions(parent=self, provider=args.vault_provider)
        namespace = vault_namespace(args)
        policy = pulumi_vault.Policy(
            f"{name}-policy",
            name=f"{name}-{ROLE}",
            policy=policy_text(args.spoke, args.fleet.vault),
            namespace=namespace,
            opts=in_vault,
        )
        # Where the spoke is its own issuer, its certificate is of the cluster's CA, not of a public one.
        own_issuer = args.spoke.issuer in (args.spoke.server, args.access.server)
        mount = pulumi_vault.jwt.AuthBackend(
            f"{name}-auth",
            path=f"jwt-{name}",
            type="jwt",
            description=f"External Secrets on the spoke {name}",
            oidc_discovery_url=args.spoke.issuer,
            oidc_discovery_ca_pem=args.access.ca_pem.strip() or None if own_issuer else None,
            bound_issuer=args.spoke.issuer,
            namespace=namespace,
            opts=in_vault,
        )
        return pulumi_vault.jwt.AuthBackendRole(
            f"{name}-role",
            backend=mount.path,
            role_name=ROLE,
            role_type="jwt",
            user_claim="sub",
            bound_audiences=[args.fleet.vault.audience],
            bound_subject=f"system:serviceaccount:{args.fleet.external_secrets.namespace}:{SERVICE_ACCOUNT}",
            token_policies=[policy.name],
            token_ttl=args.fleet.vault.token_ttl,
            token_max_ttl=args.fleet.vault.token_ttl,
            namespace=namespace,
            opts=in_vault,
        )

    def _external_secrets(self, name: str, args: SecretStoreArgs) -> Chart:
        settings = args.fleet.external_secrets
        on_spoke = pulumi.ResourceOptions(parent=self)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-external-secrets-namespace",
            metadata={"name": settings.namespace},
            opts=on_spoke,
        )
        crds = ConfigGroup(
            f"{name}-external-secrets-crds",
            files=[settings.crds],
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return Chart(
            f"{name}-external-secrets",
            name="external-secrets",
            chart=settings.chart,
            version=settings.version,
            namespace=settings.namespace,
            values={
                **settings.values,
                "installCRDs": False,
                "serviceAccount": {
                    **settings.values.get("serviceAccount", {}),
                    "name": SERVICE_ACCOUNT,
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace, crds]),
        )

    def _store(self, name: str, args: SecretStoreArgs, depends_on: list[pulumi.Resource]) -> None:
        account = {
            "name": SERVICE_ACCOUNT,
            "namespace": args.fleet.external_secrets.namespace,
            "audiences": [args.fleet.vault.audience],
        }
        provider = {
            "server": args.fleet.vault.address,
            "path": args.fleet.vault.mount,
            "version": "v2",
            "namespace": vault_namespace(args),
            "caBundle": _ca_bundle(args.fleet.vault),
            "auth": {
                "jwt": {
                    "path": f"jwt-{name}",
                    "role": ROLE,
                    "kubernetesServiceAccountToken": {
                        "serviceAccountRef": account,
                        "expirationSeconds": 600,
                    },
                }
            },
        }
        kubernetes.apiextensions.CustomResource(
            f"{name}-store",
            api_version="external-secrets.io/v1",
            kind="ClusterSecretStore",
            metadata={"name": STORE},
            spec={
                "provider": {
                    "vault": {key: value for key, value in provider.items() if value is not None}
                }
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )


def vault_namespace(args: SecretStoreArgs) -> str | None:
    """The Vault namespace of the spoke, or None where the fleet uses none."""
    return args.spoke.fill(args.fleet.vault.namespace) if args.fleet.vault.namespace else None


def policy_text(spoke: stacks.Spoke, settings: stacks.Vault) -> str:
    """The Vault policy of a spoke: read the secrets under its paths of the KV version 2 mount, and nothing else."""
    rules = []
    for path in (spoke.fill(template) for template in settings.read_paths):
        rules.append(f'path "{settings.mount}/data/{path}" {{\n  capabilities = ["read"]\n}}')
        rules.append(
            f'path "{settings.mount}/metadata/{path}" {{\n  capabilities = ["read", "list"]\n}}'
        )
    return "\n".join(rules)


def _ca_bundle(settings: stacks.Vault) -> str | None:
    return (
        base64.b64encode(Path(settings.ca_file).read_bytes()).decode() if settings.ca_file else None
    )
