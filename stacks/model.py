"""The fleet model: what a platform team writes into `stacks/Pulumi.<stack>.yaml`.

Keys are camelCase in the stack file and snake_case here. Everything is plain data: no secret has a place in it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

# A cluster's name becomes part of Application names and label values, which Kubernetes limits to 63 characters;
# 40 leaves room for the longest suffix, the name of a service.
NAME_LENGTH = 40
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLACEHOLDERS = ("environment", "cluster", "region")


def _dns_label(value: str) -> str:
    if len(value) <= NAME_LENGTH and _DNS_LABEL.fullmatch(value):
        return value
    mended = (
        re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:NAME_LENGTH].strip("-") or "prod-1"
    )
    raise ValueError(
        f'"{value}" is no DNS label: use at most {NAME_LENGTH} lower-case letters, digits and "-", e.g. "{mended}"'
    )


def _template(value: str) -> str:
    for word in _PLACEHOLDER.findall(value):
        if word not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"{{{word}}} is no placeholder here: use {known}")
    return value


def _label_value(value: str) -> str:
    if len(value) <= 63 and _LABEL_VALUE.fullmatch(value):
        return value
    raise ValueError(
        f'"{value}" is no label value: use at most 63 letters, digits, "-", "_" and ".", '
        "with a letter or digit at both ends"
    )


def _https(value: str) -> str:
    if not value.startswith("https://"):
        raise ValueError(f'"{value}" is no https:// address')
    return value


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Template = Annotated[str, AfterValidator(_template)]
HttpsUrl = Annotated[str, AfterValidator(_https)]
# Argo CD trims a server's trailing slash; an issuer's is part of its name (Azure's end in one).
ServerUrl = Annotated[HttpsUrl, AfterValidator(lambda value: value.rstrip("/"))]


class _Section(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        str_min_length=1,
    )


class Hub(_Section):
    """The management cluster: Argo CD, the ApplicationSets and the cluster Secrets live here."""

    context: str = Field(description="The kubeconfig context of the hub.")


class ArgoCD(_Section):
    """Argo CD on the hub."""

    manifest: str = Field(
        description="Path or https URL of the install manifest; pin a version, never `stable`."
    )
    namespace: DnsLabel = Field(
        "argocd", description="The namespace that Argo CD is installed into."
    )
    config: dict[str, str] = Field(
        default_factory=dict,
        description="Settings for the ConfigMap `argocd-cm`, merged over Fleet's own.",
    )


class GitOps(_Section):
    """The gitops-config repo: what people change by pull request, and Argo CD syncs."""

    repo: str = Field(description="URL of the repo, as Argo CD clones it.")
    revision: str = Field("main", description="Branch, tag or commit that Argo CD follows.")


class Vault(_Section):
    """The Vault (or OpenBao) that holds the fleet's secrets. Its token comes from `VAULT_TOKEN`, never from here."""

    address: ServerUrl = Field(
        description="Address of the Vault API, as this machine and the spokes reach it."
    )
    ca_file: str | None = Field(
        None, description="PEM file of the CA of Vault's certificate, unless a public one."
    )
    mount: str = Field("secret", description="Mount of the KV version 2 engine.")
    namespace: Template | None = Field(
        None, description="Vault namespace of a spoke; may hold {environment}, {cluster}, {region}."
    )
    read_paths: list[Template] = Field(
        default=["{environment}/*"],
        min_length=1,
        description="Paths under the mount that a spoke may read; may hold {environment}, {cluster}, {region}.",
    )
    audience: str = Field(
        "vault",
        description="Audience of the ServiceAccount token that External Secrets logs in with.",
    )
    token_ttl: int = Field(
        600, ge=60, le=86400, description="Lifetime of a Vault token, in seconds."
    )


class ExternalSecrets(_Section):
    """External Secrets on every spoke."""

    crds: str = Field(
        description="Path or https URL of the CRD bundle; the CRDs outlive the stack."
    )
    chart: str = Field(description="Helm chart: a folder, an archive or an oci:// reference.")
    version: str | None = Field(
        None, description="Version of the chart, where `chart` does not fix it."
    )
    namespace: DnsLabel = Field(
        "external-secrets", description="The namespace that External Secrets is installed into."
    )
    values: dict[str, Any] = Field(
        default_factory=dict, description="Helm values, merged over Fleet's own."
    )


class Spoke(_Section):
    """A workload cluster that the hub deploys to. After loading, `context`, `server` and `issuer` are always filled."""

    name: DnsLabel = Field(
        description="Name of the cluster; also its directory under clusters/ in the gitops-config repo."
    )
    environment: str = Field(
        description="One of `fleet:environments`; becomes the label that ApplicationSets select on."
    )
    region: LabelValue = Field(description="Region of the cluster, as a label.")
    context: str = Field("", description="The kubeconfig context of the spoke; default: its name.")
    server: ServerUrl = Field(
        "",
        description="API server address as the hub reaches it; default: that of the kubeconfig context.",
    )
    issuer: HttpsUrl = Field(
        "",
        description="ServiceAccount issuer, with OIDC discovery that Vault can reach; default: the server.",
    )
    labels: dict[str, LabelValue] = Field(
        default_factory=dict, description="More labels on the cluster Secret."
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="More annotations on the cluster Secret."
    )

    def fill(self, template: str) -> str:
        """`template` with {environment}, {cluster} and {region} replaced by this spoke's."""
        values = {"environment": self.environment, "cluster": self.name, "region": self.region}
        return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


class ApplicationSet(_Section):
    """One ApplicationSet: which spokes it takes, and which directories of the gitops-config repo it deploys there."""

    name: DnsLabel = Field(description="Name of the ApplicationSet.")
    layout: Literal["platform", "services"] = Field(
        description="`platform`: clusters/<cluster>/platform; `services`: every apps/<service>/overlays/<environment>."
    )
    selector: dict[str, LabelValue] = Field(
        default_factory=dict,
        description="Labels a cluster Secret must carry; default: every spoke.",
    )


class Fleet(_Section):
    """A whole fleet, as one stack describes it."""

    environments: list[DnsLabel] = Field(
        default=["production", "staging", "dev"],
        min_length=1,
        description="The environments a spoke may belong to.",
    )
    hub: Hub = Field(description="The management cluster.")
    argocd: ArgoCD = Field(description="Argo CD on the hub.")
    gitops: GitOps = Field(description="The gitops-config repo.")
    vault: Vault = Field(description="The Vault that External Secrets reads from.")
    external_secrets: ExternalSecrets = Field(description="External Secrets on every spoke.")
    spokes: list[Spoke] = Field(description="The workload clusters.")
    application_sets: list[ApplicationSet] = Field(
        min_length=1,
        description="The ApplicationSets that hand the spokes over to the gitops-config repo.",
    )

    @property
    def contexts(self) -> list[str]:
        """Every kubeconfig context of the fleet: the hub's, then the spokes', each once."""
        return list(dict.fromkeys([self.hub.context, *(spoke.context for spoke in self.spokes)]))
