"""External Secrets on a cluster, and the stores through which it reads from Vault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.helm.v4 import Chart, RepositoryOptsArgs
from pulumi_kubernetes.yaml.v2 import ConfigGroup

from components import crds
from components.providers import rendered_by
from components.rbac import rbac_resource
from stacks.desired import external_secrets_rights, external_secrets_values, vault_identity
from stacks.desired.crds import NO_MANIFEST, Manifest
from stacks.desired.objects import CRD, KubernetesObject
from stacks.desired.vault_identity import Identity
from stacks.model.access import ClusterAccess
from stacks.model.fleet import Fleet


@dataclass(frozen=True, kw_only=True)
class ExternalSecretsArgs:
    """The fleet, who the cluster is to Vault, and how External Secrets gets there.

    `manifest` holds the objects of `externalSecrets.manifests` or `externalSecrets.crds`, where the stack has those.
    `access` leads to the cluster, where Pulumi installs something there. Without `install` only the
    stores are made. `renderer` is the hub's provider where the cluster is in quarantine, else None: see
    `providers.rendered_by`.
    """

    fleet: Fleet
    identity: Identity
    access: ClusterAccess | None
    renderer: kubernetes.Provider | None
    manifest: Manifest = NO_MANIFEST
    install: bool = True


class ExternalSecrets(pulumi.ComponentResource):
    """External Secrets from a chart or an install manifest, or as it is there already, and its ClusterSecretStores.

    `opts.providers` holds the provider of the cluster. The CRDs outlive the stack: deleting them would delete every
    ExternalSecret, and with it the Secrets of running workloads. Makes nothing in Vault.
    """

    def __init__(
        self, name: str, args: ExternalSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # It was one component with what is now VaultIdentity.
        renamed = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="fleet:index:SecretStore")])
        super().__init__(
            "fleet:index:ExternalSecrets", name, None, pulumi.ResourceOptions.merge(opts, renamed)
        )
        settings = args.fleet.external_secrets
        assert settings
        self._args, self._settings = args, settings
        install = args.install and not settings.installed
        before: list[pulumi.Resource] = []
        if install:
            before.append(
                kubernetes.core.v1.Namespace(
                    f"{name}-external-secrets-namespace",
                    metadata={"name": settings.namespace},
                    opts=pulumi.ResourceOptions(parent=self),
                )
            )
        before += self._rights(name, install, before)
        # A store needs each object of the installation; their component stands for none of them. So `destroy` keeps
        # them where what depends on the store is protected.
        needed: pulumi.Input[list[pulumi.Resource]] = before
        if install:
            installation = self._installation(name, before)
            needed = installation.resources.apply(
                lambda found: [*before, installation, *(found or ())]
            )
        for grant, store in zip(
            args.identity.grants, vault_identity.stores(args.fleet, args.identity), strict=True
        ):
            kubernetes.apiextensions.CustomResource(
                f"{name}-store{grant.suffix}",
                api_version=store["apiVersion"],
                kind=store["kind"],
                metadata=store["metadata"],
                spec=store["spec"],
                opts=pulumi.ResourceOptions(parent=self, depends_on=needed),
            )
        self.register_outputs({})

    def _rights(
        self, name: str, install: bool, before: list[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        rights = external_secrets_rights.objects(
            self._args.fleet, self._args.identity, install=install
        )
        opts = pulumi.ResourceOptions(parent=self, depends_on=[*before])
        return [rbac_resource(f"{name}-{one['metadata']['name']}", one, opts) for one in rights]

    def _installation(self, name: str, before: list[pulumi.Resource]) -> Chart | ConfigGroup:
        """External Secrets itself, once its CRDs are there."""
        settings = self._settings
        manifest = self._args.manifest
        if manifest.crds:
            assert self._args.access, "what installs something there has a way there"
            record = crds.record(
                f"{name}-external-secrets-crds",
                crds.CrdsArgs(
                    name="external-secrets-crds",
                    namespace=settings.namespace,
                    crds=manifest.crds,
                    digests=manifest.digests,
                    access=self._args.access,
                    instead="write `installed: true` under `fleet:externalSecrets`, and Fleet makes the stores only",
                ),
                pulumi.ResourceOptions(parent=self, depends_on=[*before]),
            )
            before = [*before, record]
        if settings.manifests:
            rest = [one for one in manifest.objects if not self._made_already(one)]
            return ConfigGroup(
                f"{name}-external-secrets", objs=rest, opts=self._by_plugin(depends_on=before)
            )
        assert settings.chart, "loading a stack file requires chart, manifests or installed"
        return Chart(
            f"{name}-external-secrets",
            name="external-secrets",
            chart=settings.chart,
            repository_opts=RepositoryOptsArgs(repo=settings.repo) if settings.repo else None,
            version=settings.version,
            namespace=settings.namespace,
            values=external_secrets_values.chart_values(self._args.fleet),
            opts=self._by_plugin(depends_on=before),
        )

    def _made_already(self, one: KubernetesObject) -> bool:
        name: str = one["metadata"].get("name", "")
        return one["kind"] == CRD or (one["kind"], name) == ("Namespace", self._settings.namespace)

    def _by_plugin(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of what the plugin works out and registers itself, object by object."""
        return pulumi.ResourceOptions.merge(
            rendered_by(self, self._args.renderer), pulumi.ResourceOptions(**options)
        )
