"""Vault and External Secrets, as the stack file describes them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stacks.model.fields import (
    DnsLabel,
    FileSource,
    HttpsUrl,
    LabelValue,
    Mount,
    Namespace,
    PathTemplate,
    PlainPath,
    PlainPolicyPath,
    PolicyPathTemplate,
    Section,
    ServerUrl,
)
from stacks.model.spoke import Delivery, VaultMethod


class Vault(Section):
    """The Vault (or OpenBao) that holds the fleet's secrets. Its token comes from `VAULT_TOKEN`, never from here."""

    address: ServerUrl = Field(
        description="Address of the Vault API, as this machine and the spokes reach it."
    )
    ca_file: str | None = Field(
        None, description="PEM file of the CA of Vault's certificate, unless a public one."
    )
    parent_namespace: PlainPath | None = Field(
        None,
        description="Vault namespace that all others here are below, and the token is of (HCP Vault: `admin`).",
    )
    mount: Mount = Field("secret", description="Mount of the KV version 2 engine.")
    manage_mount: bool = Field(
        False,
        description="Make that engine, and keep it when the stack goes; only one stack per Vault namespace may.",
    )
    namespace: PathTemplate | None = Field(
        None, description="Vault namespace of a spoke; may hold {environment}, {cluster}, {region}."
    )
    read_paths: list[PolicyPathTemplate] = Field(
        default=["{environment}/*"],
        min_length=1,
        description="Paths under the mount that a spoke may read; may hold {environment}, {cluster}, {region}.",
    )
    auth: VaultMethod = Field(
        "jwt",
        description="How spokes log in to Vault: `jwt` (by their issuer's keys) or `kubernetes` (TokenReview).",
    )
    auth_path: PathTemplate | None = Field(
        None,
        description="Path of a spoke's auth mount; must hold {cluster}; default: `<auth>-{cluster}`.",
    )
    role: DnsLabel = Field(
        "external-secrets",
        description="Role in a spoke's auth mount, and the end of its policy's name.",
    )
    audience: str = Field(
        "vault",
        description="Audience of the ServiceAccount token that External Secrets logs in with.",
    )
    token_ttl: int = Field(
        600, ge=60, le=86400, description="Lifetime of a Vault token, in seconds."
    )
    token_max_ttl: int | None = Field(
        None,
        ge=60,
        le=86400,
        description="Longest lifetime of a renewed Vault token, in seconds; default: tokenTtl.",
    )

    def full_namespace(self, relative: str | None) -> str | None:
        """A Vault namespace by its full path, as clients write it; None for Vault's root. The only place that joins.

        `relative` is as the stack file and Pulumi's provider have it: below `parentNamespace`, None for that itself.
        """
        return "/".join(filter(None, (self.parent_namespace, relative))) or None


class SecretStore(Section):
    """One ClusterSecretStore on every spoke, with a role and a policy of its own in Vault."""

    name: DnsLabel = Field(
        "vault-backend", description="Name of the ClusterSecretStore; ExternalSecrets name it."
    )
    mount: Mount | None = Field(
        None, description="Mount to read from; default: `fleet:vault.mount`."
    )
    read_paths: list[PolicyPathTemplate] | None = Field(
        None, min_length=1, description="Paths to read; default: `fleet:vault.readPaths`."
    )
    namespaces: list[Namespace] = Field(
        default_factory=list,
        description="Only ExternalSecrets of these namespaces may use it; default: all.",
    )
    namespace_labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        description="Only ExternalSecrets of namespaces with these labels may use it; default: all.",
    )


class HubSecretStore(Section):
    """External Secrets on the hub with a store for spokes' credentials, for `auth: {kind: vault}`."""

    name: DnsLabel = Field("fleet-clusters", description="Name of the ClusterSecretStore.")
    cluster: DnsLabel = Field(
        "hub",
        description="What the hub is called in Vault: its mount is `jwt-<cluster>`, its policy `<cluster>-<role>`.",
    )
    namespace: PlainPath | None = Field(None, description="Vault namespace of the credentials.")
    mount: Mount | None = Field(
        None, description="Mount to read from; default: `fleet:vault.mount`."
    )
    read_paths: list[PlainPolicyPath] = Field(
        default=["clusters/*"], min_length=1, description="Paths that the hub may read."
    )
    issuer: HttpsUrl | None = Field(
        None, description="ServiceAccount issuer of the hub; default: its server."
    )


class ExternalSecrets(Section):
    """External Secrets on every spoke: exactly one of `chart`, `manifests` and `installed`."""

    chart: str | None = Field(
        None,
        description="Helm chart: a folder, an archive, an oci:// reference, or a name in `repo`.",
    )
    repo: str | None = Field(None, description="URL of the Helm repository that has `chart`.")
    version: str | None = Field(
        None, description="Version of the chart, where `chart` does not fix it."
    )
    crds: FileSource | None = Field(
        None,
        description="Path or https URL of the CRDs, so that they stay out of the state; default: those of the chart.",
    )
    values: dict[str, Any] = Field(
        default_factory=dict, description="Helm values, merged over Fleet's own."
    )
    manifests: FileSource | None = Field(
        None, description="Path or https URL of an install manifest, instead of a chart."
    )
    installed: bool = Field(
        False, description="It is there already, and not Fleet's: only the stores are made."
    )
    namespace: Namespace = Field(
        "external-secrets", description="The namespace that External Secrets is installed into."
    )
    service_account: DnsLabel = Field(
        "external-secrets", description="The ServiceAccount that it runs as."
    )
    delivery: Delivery = Field(
        "pulumi",
        description="Who installs it and the stores on a spoke: `pulumi` directly, or `argocd` by an ApplicationSet.",
    )
