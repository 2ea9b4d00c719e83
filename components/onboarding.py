"""One spoke, end to end: its identity in Vault, what Pulumi installs on it, and last its cluster Secret on the hub."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_vault

from components import providers
from components.argo_rollouts import ArgoRollouts, ArgoRolloutsArgs
from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.hub_store import hub_store
from components.management_hub import ManagementHub
from components.spoke_cluster import SpokeCluster, SpokeClusterArgs
from components.vault_identity import VaultIdentity, VaultIdentityArgs, kv_mounts
from stacks.desired import vault_identity
from stacks.desired.crds import NO_MANIFEST, Manifest
from stacks.model.access import Endpoint
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke


@dataclass(frozen=True, kw_only=True)
class OnboardingArgs:
    """The fleet and its stack, the hub, and how every spoke is reached.

    `silent` names the spokes that don't answer now; `manifest` is External Secrets' own, where the stack has one, and
    `rollouts` Argo Rollouts'.
    """

    fleet: Fleet
    stack: str
    hub: ManagementHub
    endpoints: Mapping[str, Endpoint]
    silent: Collection[str] = ()
    manifest: Manifest = NO_MANIFEST
    rollouts: Manifest = NO_MANIFEST


def onboard_spokes(args: OnboardingArgs) -> None:
    """Register everything of every spoke, and before that the hub's own way to Vault. Nothing without a Vault."""
    if not args.fleet.vault:
        return
    vault = providers.vault_provider(args.fleet.vault)
    kv_mounts(args.fleet, vault)
    store = hub_store(args.fleet, args.hub, vault, args.manifest)
    for spoke in args.fleet.spokes:
        _Onboarding(args, vault, store).onboard(spoke, args.endpoints[spoke.name])


@dataclass(frozen=True)
class _Onboarding:
    args: OnboardingArgs
    vault: pulumi_vault.Provider
    after: Sequence[pulumi.Resource]

    def onboard(self, spoke: Spoke, endpoint: Endpoint) -> None:
        """Register everything of `spoke`, each resource named after it.

        A provider for the spoke, which costs a plugin process, is made only where Pulumi has something to do there.
        """
        who = vault_identity.of_spoke(self.args.fleet, spoke)
        direct = self.args.fleet.delivery_of(spoke) == "pulumi"
        on_spoke = pulumi.ResourceOptions()
        if spoke.in_cluster:
            on_spoke.providers = [self.args.hub.provider]
        elif endpoint.access and self.args.fleet.works_on(spoke):
            quarantine = bool(spoke.quarantine)
            provider = providers.kubernetes_provider(
                spoke.name, endpoint.access, quarantine=quarantine
            )
            on_spoke.providers = [provider]
        in_vault = VaultIdentity(
            spoke.name,
            VaultIdentityArgs(
                fleet=self.args.fleet,
                identity=who,
                server=endpoint.server,
                local_server=endpoint.access.server if endpoint.access else "",
                ca_pem=endpoint.ca_pem,
                public_keys=spoke.jwt_public_keys,
                provider=self.vault,
                protect=self.args.fleet.protects(spoke),
            ),
        )
        # Else the plugin, asked to take a chart apart for a dead cluster, would end the whole run.
        dead = spoke.quarantine or spoke.name in self.args.silent
        renderer = self.args.hub.provider if dead else None
        before: list[pulumi.Resource] = [*self.after, in_vault]
        if direct:
            store = ExternalSecrets(
                spoke.name,
                ExternalSecretsArgs(
                    fleet=self.args.fleet,
                    identity=who,
                    access=endpoint.access,
                    manifest=self.args.manifest,
                    renderer=renderer,
                    # The hub's own store has brought External Secrets along.
                    install=not (spoke.in_cluster and self.args.fleet.hub.secret_store),
                ),
                pulumi.ResourceOptions.merge(
                    on_spoke, pulumi.ResourceOptions(depends_on=[*self.after, in_vault])
                ),
            )
            before.append(store)
        needed: pulumi.Input[list[pulumi.Resource]] = before
        if self.args.fleet.has_argo_rollouts(spoke):
            assert endpoint.access, "loading a stack file has seen to it"
            rollouts = ArgoRollouts(
                spoke.name,
                ArgoRolloutsArgs(
                    fleet=self.args.fleet,
                    manifest=self.args.rollouts,
                    access=endpoint.access,
                    renderer=renderer,
                ),
                on_spoke,
            )
            needed = rollouts.made.apply(lambda made: [*before, *made])
        # Argo CD deploys to a spoke as soon as it knows of it, and workloads need their secrets.
        SpokeCluster(
            spoke.name,
            SpokeClusterArgs(
                fleet=self.args.fleet,
                stack=self.args.stack,
                spoke=spoke,
                endpoint=endpoint,
                hub=self.args.hub,
            ),
            pulumi.ResourceOptions.merge(on_spoke, pulumi.ResourceOptions(depends_on=needed)),
        )
