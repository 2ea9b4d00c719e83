"""One spoke, end to end: its identity in Vault, External Secrets on it, and last its cluster Secret on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_vault

import stacks
from components import providers
from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.management_hub import ManagementHub
from components.manifests import Manifest
from components.spoke_cluster import SpokeCluster, SpokeClusterArgs
from components.vault_identity import VaultIdentity, VaultIdentityArgs
from stacks import identity


@dataclass(frozen=True, kw_only=True)
class Onboarding:
    """What every spoke of a stack is onboarded with.

    `manifest` is External Secrets' own, where the stack has one. `after` is what must be there before any spoke is
    registered, such as the hub's own store.
    """

    fleet: stacks.Fleet
    stack: str
    hub: ManagementHub
    vault: pulumi_vault.Provider
    manifest: Sequence[Manifest] = ()
    after: Sequence[pulumi.Resource] = ()

    def onboard(self, spoke: stacks.Spoke, reach: stacks.Reach) -> None:
        """Register everything of `spoke`, each resource named after it.

        A provider for the spoke, which costs a plugin process, is made only where Pulumi has something to do there.
        """
        who = identity.of_spoke(self.fleet, spoke)
        direct = self.fleet.delivery_of(spoke) == "pulumi"
        on_spoke = pulumi.ResourceOptions()
        if spoke.in_cluster:
            on_spoke.providers = [self.hub.provider]
        elif reach.access and (direct or spoke.has_identity):
            quarantine = bool(spoke.quarantine)
            provider = providers.kubernetes_provider(
                spoke.name, reach.access, quarantine=quarantine
            )
            on_spoke.providers = [provider]
        in_vault = VaultIdentity(
            spoke.name,
            VaultIdentityArgs(
                fleet=self.fleet,
                identity=who,
                server=reach.server,
                local_server=reach.access.server if reach.access else "",
                ca_pem=reach.ca_pem,
                public_keys=spoke.jwt_public_keys,
                provider=self.vault,
            ),
        )
        before: list[pulumi.Resource] = [*self.after, in_vault]
        if direct:
            store = ExternalSecrets(
                spoke.name,
                ExternalSecretsArgs(
                    fleet=self.fleet,
                    identity=who,
                    manifest=self.manifest,
                    renderer=self.hub.provider if spoke.quarantine else None,
                    # The hub's own store has brought External Secrets along.
                    install=not (spoke.in_cluster and self.fleet.hub.secret_store),
                ),
                pulumi.ResourceOptions.merge(
                    on_spoke, pulumi.ResourceOptions(depends_on=[*self.after, in_vault])
                ),
            )
            before.append(store)
        # Argo CD deploys to a spoke as soon as it knows of it, and workloads need their secrets.
        SpokeCluster(
            spoke.name,
            SpokeClusterArgs(
                fleet=self.fleet, stack=self.stack, spoke=spoke, reach=reach, hub=self.hub
            ),
            pulumi.ResourceOptions.merge(on_spoke, pulumi.ResourceOptions(depends_on=before)),
        )
