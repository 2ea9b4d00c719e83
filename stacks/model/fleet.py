"""The fleet model: what a platform team writes into `stacks/Pulumi.<stack>.yaml`.

Keys are camelCase in the stack file and snake_case here. Everything is plain data: no secret has a place in it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from stacks.model.argo_rollouts import ADDON, ArgoRollouts
from stacks.model.fields import (
    DnsLabel,
    FileSource,
    Folder,
    GitRepo,
    GitRevision,
    LabelValue,
    Namespace,
    Namespaces,
    Section,
    Uid,
)
from stacks.model.spoke import Delivery, Rbac, Spoke, VaultMethod
from stacks.model.vault import ExternalSecrets, HubSecretStore, SecretStore, Vault


class Hub(Section):
    """The management cluster: Argo CD, the ApplicationSets and the cluster Secrets live here."""

    context: str = Field(description="The kubeconfig context of the hub.")
    identity: Uid | None = Field(
        None,
        description="Only the cluster of this identity (UID of its namespace kube-system); default: the one recorded.",
    )
    secret_store: HubSecretStore | None = Field(
        None,
        description="External Secrets on the hub, for spokes with `auth: {kind: vault}`; default: none.",
    )


class ArgoCD(Section):
    """Argo CD on the hub. With `manifest` this stack owns the hub; without, it joins one that another stack owns."""

    manifest: FileSource | None = Field(
        None,
        description="Path or https URL of the install manifest, pinned; default: another stack installs Argo CD.",
    )
    namespace: Namespace = Field("argocd", description="The namespace that Argo CD is in.")
    config: dict[str, str] = Field(
        default_factory=dict,
        description="Settings for the ConfigMap `argocd-cm`, merged over Fleet's own.",
    )
    controller_replicas: int = Field(
        1, ge=1, description="Application controllers, each with a share of the spokes (shards)."
    )


class GitOps(Section):
    """The gitops-config repo: what people change by pull request, and Argo CD syncs."""

    repo: GitRepo = Field(description="URL of the repo, as Argo CD clones it.")
    revision: GitRevision = Field("main", description="Branch, tag or commit that Argo CD follows.")
    forge: Literal["github", "gitlab", "gitea"] | None = Field(
        None,
        description="What keeps it and the teams' repos (Forgejo is `gitea`); default: by the host's name, if known.",
    )


class ResourceKind(Section):
    """A cluster-scoped kind of Kubernetes."""

    group: Annotated[str, StringConstraints(min_length=0)] = Field(
        description='API group, such as `cert-manager.io`; "" is the core group.'
    )
    kind: str = Field(description="Kind, such as `ClusterIssuer`.")


class Project(Section):
    """What an AppProject of the hub allows beyond Fleet's own few."""

    repos: list[GitRepo] = Field(
        default_factory=list, description="More repos, beside `fleet:gitops.repo`, to deploy from."
    )
    namespaces: list[Namespace] = Field(
        default_factory=list,
        description="Namespaces kept shut to deploy into all the same, such as `kube-system`.",
    )
    cluster_kinds: list[ResourceKind] = Field(
        default_factory=list, description="More cluster-scoped kinds to deploy."
    )


class Projects(Section):
    """The AppProjects that the ApplicationSets deploy by; the stack that owns the hub makes them."""

    system_namespaces: list[Namespaces] = Field(
        default_factory=list,
        description="More namespaces to keep shut, beside kube-*, Argo CD's and External Secrets'; or `openshift-*`.",
    )
    platform_namespaces: list[Namespaces] = Field(
        default_factory=list,
        description="More namespaces that no service may deploy into, beside those of this stack's other sets.",
    )
    platform: Project = Field(
        default_factory=Project, description="For the layouts `platform` and `directory`."
    )
    services: Project = Field(default_factory=Project, description="For the layout `services`.")
    hub: Project = Field(
        default_factory=Project, description="For every layout, where the hub is a spoke too."
    )


class Team(Section):
    """A team whose services Argo CD deploys by an AppProject and ApplicationSets of their own."""

    name: DnsLabel = Field(description="Name of the team; its AppProject is `team-<name>`.")
    namespaces: list[Namespaces] = Field(
        min_length=1,
        description="Its services: each a namespace, and a directory under `path`; or `payments-*`, all that begin so.",
    )
    repo: GitRepo | None = Field(
        None, description="URL of its own config repo; default: `fleet:gitops.repo`."
    )
    revision: GitRevision | None = Field(
        None,
        description="Revision to follow; default: with `repo` its `main`, else what the set follows.",
    )
    path: Folder = Field(
        "apps", description="The directory there that has <service>/overlays/<environment>."
    )


class ApplicationSet(Section):
    """One ApplicationSet: which spokes it takes, and which directories of the gitops-config repo it deploys there."""

    name: DnsLabel = Field(description="Name of the ApplicationSet.")
    layout: Literal["platform", "services", "directory"] = Field(
        description="`platform`: clusters/<cluster>/platform; `services`: every apps/<service>/overlays/<environment>; "
        "`directory`: the `path` given here."
    )
    selector: dict[str, LabelValue] = Field(
        default_factory=dict,
        description="Labels a cluster Secret must carry; default: every spoke of `fleet:environments`.",
    )
    path: str | None = Field(
        None,
        description="With `directory`: the path in the repo; Go template over the cluster Secret: `addons/{{.name}}`.",
    )
    application: DnsLabel | None = Field(
        None,
        description="With `directory`: the Application is `<cluster>-<application>`; default: the set's name.",
    )
    namespace: Namespace | None = Field(
        None, description="With `directory`: the namespace deployed to; default: `application`."
    )
    exclude: list[Namespaces] = Field(
        default_factory=list,
        description="With `services`: directories under apps/ that are no services; or `tools-*`.",
    )
    revision: str | None = Field(
        None,
        description="Revision to follow; Go template over the cluster Secret; default: `fleet:gitops.revision`.",
    )
    preserve: bool = Field(
        True,
        description="Make and change Applications, never delete one; false: delete them, with their workloads.",
    )


class Fleet(Section):
    """A whole fleet, as one stack describes it."""

    environments: list[DnsLabel] = Field(
        default=["production", "staging", "dev"],
        min_length=1,
        description="The environments a spoke of this stack may belong to.",
    )
    protected_environments: list[DnsLabel] = Field(
        default=["production"],
        description="Environments in which no set may delete, `destroy` is refused and no certificate goes unchecked.",
    )
    hub: Hub = Field(description="The management cluster.")
    argocd: ArgoCD = Field(
        default_factory=ArgoCD,
        description="Argo CD on the hub; without `manifest` the stack joins a hub that another stack owns.",
    )
    gitops: GitOps = Field(description="The gitops-config repo.")
    vault: Vault | None = Field(
        None, description="The Vault that External Secrets reads from; required with spokes."
    )
    external_secrets: ExternalSecrets | None = Field(
        None, description="External Secrets on every spoke; required with spokes."
    )
    argo_rollouts: ArgoRollouts | None = Field(
        None,
        description="Argo Rollouts, for spokes with `argo_rollouts` among their `addons`; default: none.",
    )
    secret_stores: list[SecretStore] = Field(
        default_factory=lambda: [SecretStore()],
        min_length=1,
        description="The ClusterSecretStores on every spoke; default: one, `vault-backend`.",
    )
    rbac: Rbac = Field(
        default_factory=Rbac,
        description="What Argo CD may do on every spoke; default: least privilege.",
    )
    projects: Projects = Field(
        default_factory=Projects,
        description="What Argo CD may deploy beyond Fleet's own AppProjects; only in the stack that owns the hub.",
    )
    teams: list[Team] = Field(
        default_factory=list,
        description="Teams with services of their own; the same in every stack of a hub; default: none.",
    )
    spokes: list[Spoke] = Field(
        default_factory=list, description="The workload clusters; default: none."
    )
    application_sets: list[ApplicationSet] = Field(
        default_factory=list,
        description="The ApplicationSets that hand the spokes over to the gitops-config repo; default: none.",
    )
    # Not only names that a spoke may have: a set may take a cluster that somebody else registered.
    allow_deletion: list[str] = Field(
        default_factory=list,
        description="Spokes that may leave, or lose Applications by a new label or selector, in the next `up`.",
    )

    @property
    def owns_hub(self) -> bool:
        """Whether this stack installs Argo CD; else it joins a hub that another stack owns."""
        return self.argocd.manifest is not None

    @property
    def hub_is_a_spoke(self) -> bool:
        """Whether Argo CD deploys to the hub too."""
        return any(spoke.in_cluster for spoke in self.spokes)

    @property
    def installs_external_secrets(self) -> bool:
        """Whether Pulumi brings External Secrets to any cluster of the stack."""
        return self.hub.secret_store is not None or any(
            self.delivery_of(spoke) == "pulumi" for spoke in self.spokes
        )

    def rbac_of(self, spoke: Spoke) -> Rbac:
        """What Argo CD may do on `spoke`."""
        return spoke.rbac or self.rbac

    def delivery_of(self, spoke: Spoke) -> Delivery:
        """Who installs External Secrets and the stores on `spoke`."""
        assert self.external_secrets
        return spoke.delivery or self.external_secrets.delivery

    def protects(self, spoke: Spoke) -> bool:
        """Whether Pulumi refuses to delete what registers `spoke`, in a `destroy` too."""
        return (
            spoke.environment in self.protected_environments
            and spoke.name not in self.allow_deletion
        )

    def vault_auth_of(self, spoke: Spoke) -> VaultMethod:
        """How `spoke` proves itself to Vault."""
        assert self.vault
        return spoke.vault_auth or self.vault.auth

    def needs_context(self, spoke: Spoke) -> bool:
        """Whether the machine that runs Pulumi must reach `spoke`, or takes its credential from the kubeconfig."""
        return self.works_on(spoke) or spoke.credential_from_context

    def works_on(self, spoke: Spoke) -> bool:
        """Whether Pulumi makes anything on `spoke` itself."""
        delivers = self.external_secrets is not None and self.delivery_of(spoke) == "pulumi"
        return spoke.has_identity or delivers or self.has_argo_rollouts(spoke)

    def has_argo_rollouts(self, spoke: Spoke) -> bool:
        """Whether Pulumi installs Argo Rollouts on `spoke`."""
        return self.argo_rollouts is not None and ADDON in spoke.addons

    @property
    def installs_argo_rollouts(self) -> bool:
        """Whether it does on any spoke of the stack."""
        return any(map(self.has_argo_rollouts, self.spokes))
