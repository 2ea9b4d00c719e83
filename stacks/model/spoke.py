"""A spoke, as its block in the stack file describes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from stacks.model.auth import FROM_CONTEXT, Auth, InClusterAuth, ServiceAccountAuth
from stacks.model.fields import (
    PLACEHOLDER,
    DnsLabel,
    LabelValue,
    Namespace,
    Section,
    ServerUrl,
    Template,
    Uid,
)

USUAL_API_AUDIENCES = (
    "https://kubernetes.default.svc.cluster.local",
    "https://kubernetes.default.svc",
)
"""What API servers take for their own audience where nobody set one: kubeadm's and k3s', EKS' and AKS'."""
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
"""The address by which Argo CD knows the cluster that it runs in."""

Delivery = Literal["pulumi", "argocd"]
VaultMethod = Literal["jwt", "kubernetes"]


class Rule(Section):
    """One rule of Kubernetes RBAC."""

    # The one list whose texts may be empty.
    api_groups: list[Annotated[str, StringConstraints(min_length=0)]] = Field(
        default=[""], description='API groups; "" is the core group.'
    )
    resources: list[str] = Field(min_length=1, description="Resources, in the plural.")
    verbs: list[str] = Field(min_length=1, description="Verbs, such as get, list, watch.")
    resource_names: list[str] = Field(
        default_factory=list, description="Only objects of these names; default: all."
    )


class Rbac(Section):
    """What Argo CD may do on a spoke, beyond what the gitops-config repo's usual kinds need."""

    cluster_admin: bool = Field(
        False, description="Everything, as `argocd cluster add` gives; default: least privilege."
    )
    rules: list[Rule] = Field(
        default_factory=list, description="More rules, for kinds that the default leaves out."
    )
    namespaces: list[Namespace] = Field(
        default_factory=list,
        description="Only inside these namespaces, which must exist; default: the whole cluster.",
    )
    account_namespace: Namespace = Field(
        "kube-system",
        description="Namespace, which must exist, of the ServiceAccount `argocd-manager`; where kube-system is barred.",
    )


class Tls(Section):
    """How the hub checks a spoke's certificate."""

    ca_file: str | None = Field(
        None, description="PEM file of the CA; default: that of the kubeconfig context."
    )
    server_name: str | None = Field(
        None, description="Name in the certificate, where it is not the server's."
    )
    insecure: bool = Field(
        False, description="Don't check the certificate at all; refused for protected environments."
    )


class Spoke(Section):
    """A workload cluster that the hub deploys to. After loading, `server` is always filled."""

    name: DnsLabel = Field(
        description="Name of the cluster; also its directory under clusters/ in the gitops-config repo."
    )
    environment: str = Field(
        description="One of `fleet:environments`; becomes the label that ApplicationSets select on."
    )
    region: LabelValue = Field(description="Region of the cluster, as a label.")
    tier: LabelValue | None = Field(None, description="Tier of the cluster, as a label.")
    context: str = Field(
        "",
        description="The kubeconfig context of the spoke; default: its name, where one is needed.",
    )
    server: ServerUrl = Field(
        "",
        description="API server address as the hub reaches it; default: that of the kubeconfig context.",
    )
    identity: Uid | None = Field(
        None,
        description="Only the cluster of this identity (UID of its namespace kube-system); default: the one recorded.",
    )
    auth: Auth = Field(
        default_factory=ServiceAccountAuth,
        description="How Argo CD proves itself to the spoke; default: `{kind: serviceAccount}`.",
    )
    rbac: Rbac | None = Field(None, description="What Argo CD may do here; default: `fleet:rbac`.")
    tls: Tls = Field(default_factory=Tls, description="How the hub checks the spoke's certificate.")
    proxy_url: str | None = Field(
        None, description="Proxy through which the hub reaches the spoke: http, https or socks5."
    )
    disable_compression: bool = Field(
        False, description="No compression between hub and spoke: less CPU, more traffic."
    )
    shard: int | None = Field(
        None,
        ge=0,
        description="Application controller that takes this spoke, counted from 0; default: by hash.",
    )
    project: DnsLabel | None = Field(
        None, description="AppProject that the cluster Secret belongs to; default: none."
    )
    issuer: str = Field(
        "",
        description="ServiceAccount issuer, with OIDC discovery that Vault can reach; default: the server.",
    )
    jwt_public_keys: list[str] = Field(
        default_factory=list,
        description="Files of the keys that sign the spoke's tokens, PEM or JWKS, instead of OIDC discovery.",
    )
    vault_auth: VaultMethod | None = Field(
        None,
        description="How the spoke proves itself to Vault: `jwt` or `kubernetes`; default: `fleet:vault.auth`.",
    )
    api_audience: str | None = Field(
        None,
        description="Audience of the spoke's API server, for `vaultAuth: kubernetes`; default: the usual ones.",
    )
    delivery: Delivery | None = Field(
        None,
        description="Who puts External Secrets there: `pulumi` or `argocd`; default: `fleet:externalSecrets.delivery`.",
    )
    quarantine: str = Field(
        "",
        description="Why the spoke is left as it is for as long as it doesn't answer; default: none.",
    )
    addons: list[str] = Field(
        default_factory=list,
        description="Addons: each becomes a label `enable_<addon>: true`; `argo_rollouts` is installed as well.",
    )
    labels: dict[str, LabelValue] = Field(
        default_factory=dict, description="More labels on the cluster Secret."
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="More annotations on the cluster Secret."
    )

    @property
    def server_is_written(self) -> bool:
        """Whether the block itself names the server; else it is a kubeconfig context's."""
        return "server" in self.model_fields_set

    @property
    def identity_is_written(self) -> bool:
        """Whether the block itself names the identity; else it is what the cluster said, or the last run recorded."""
        return "identity" in self.model_fields_set

    @property
    def in_cluster(self) -> bool:
        """Whether this spoke is the hub itself."""
        return isinstance(self.auth, InClusterAuth)

    @property
    def has_identity(self) -> bool:
        """Whether Fleet makes `argocd-manager` on it, and so must reach it."""
        return isinstance(self.auth, ServiceAccountAuth)

    @property
    def credential_from_context(self) -> bool:
        """Whether Argo CD gets the credential that the kubeconfig context has."""
        return isinstance(self.auth, FROM_CONTEXT)

    def fill(self, template: Template) -> str:
        """`template` with {environment}, {cluster} and {region} replaced by this spoke's."""
        values = {"environment": self.environment, "cluster": self.name, "region": self.region}
        return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
