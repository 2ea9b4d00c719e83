"""How the hub's Argo CD proves itself to a spoke: one section per kind, told apart by `kind`.

None holds a secret. Those of `token`, `clientCertificate` and `basic` are read from the spoke's kubeconfig context.
What each becomes in a cluster Secret: https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks.model.fields import DnsLabel, Duration, PathTemplate, Section


class ServiceAccountAuth(Section):
    """The token of the ServiceAccount `argocd-manager`, which Fleet makes on the spoke. It does not expire."""

    kind: Literal["serviceAccount"] = Field("serviceAccount", description="`serviceAccount`.")


class TokenAuth(Section):
    """The bearer token of the spoke's kubeconfig context."""

    kind: Literal["token"] = Field(description="`token`.")


class ClientCertificateAuth(Section):
    """The client certificate of the spoke's kubeconfig context."""

    kind: Literal["clientCertificate"] = Field(description="`clientCertificate`.")


class BasicAuth(Section):
    """The user name and password of the spoke's kubeconfig context."""

    kind: Literal["basic"] = Field(description="`basic`.")


class EksAuth(Section):
    """AWS identity of Argo CD's pods (IRSA or Pod Identity)."""

    kind: Literal["eks"] = Field(description="`eks`.")
    cluster_name: str = Field(description="Name of the cluster in EKS.")
    role_arn: str | None = Field(None, description="IAM role to assume; default: the pods' own.")
    profile: str | None = Field(None, description="AWS profile mounted into Argo CD's pods.")


class GkeAuth(Section):
    """Google identity of Argo CD's pods (Workload Identity)."""

    kind: Literal["gke"] = Field(description="`gke`.")


class AksAuth(Section):
    """Azure identity of Argo CD's pods, by `argocd-k8s-auth azure`, which is kubelogin."""

    kind: Literal["aks"] = Field(description="`aks`.")
    login_method: Literal["workloadidentity", "msi"] = Field(
        "workloadidentity", description="How kubelogin logs in: `workloadidentity` or `msi`."
    )
    client_id: str | None = Field(
        None, description="Client id of the identity; required with `workloadidentity`."
    )
    tenant_id: str | None = Field(
        None, description="Tenant of the identity; required with `workloadidentity`."
    )
    env: dict[str, str] = Field(
        default_factory=dict, description="More of kubelogin's environment; no secrets."
    )


class ExecAuth(Section):
    """Any client-go credential plugin that is in Argo CD's pods."""

    kind: Literal["exec"] = Field(description="`exec`.")
    command: str = Field(description="The program, as Argo CD's pods have it.")
    args: list[str] = Field(default_factory=list, description="Its arguments.")
    env: dict[str, str] = Field(default_factory=dict, description="Its environment; no secrets.")
    api_version: Literal[
        "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"
    ] = Field(
        "client.authentication.k8s.io/v1beta1", description="Version of the ExecCredential API."
    )
    install_hint: str | None = Field(
        None, description="What Argo CD says where the program is missing."
    )


class VaultAuth(Section):
    """A credential in Vault, rendered into the cluster Secret by External Secrets on the hub.

    It never enters Pulumi's state. The KV entry holds `bearerToken`, or `certData` and `keyData` (base64 of PEM), or
    `username` and `password`;
    `fleet credential` writes it.
    """

    kind: Literal["vault"] = Field(description="`vault`.")
    path: PathTemplate = Field(
        "clusters/{cluster}",
        description="Path of the entry under the hub store's mount; may hold {environment}, {cluster}, {region}.",
    )
    store: DnsLabel = Field(
        "fleet-clusters", description="The ClusterSecretStore on the hub that reads it."
    )
    refresh_interval: Duration = Field("1h", description="How often the hub reads it anew.")


class InClusterAuth(Section):
    """Argo CD's own ServiceAccount: the hub as a spoke of its own."""

    kind: Literal["inCluster"] = Field(description="`inCluster`.")


Auth = Annotated[
    ServiceAccountAuth
    | TokenAuth
    | ClientCertificateAuth
    | BasicAuth
    | EksAuth
    | GkeAuth
    | AksAuth
    | ExecAuth
    | VaultAuth
    | InClusterAuth,
    Field(discriminator="kind"),
]
FROM_CONTEXT = (TokenAuth, ClientCertificateAuth, BasicAuth)
"""The kinds whose secret is the kubeconfig context's own."""
