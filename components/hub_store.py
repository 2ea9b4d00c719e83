"""The hub's own way to Vault: where the credentials of spokes with `auth: {kind: vault}` are read."""

from __future__ import annotations

import pulumi
import pulumi_vault

from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.management_hub import ManagementHub
from components.vault_identity import VaultIdentity, VaultIdentityArgs
from stacks.desired import vault_identity
from stacks.desired.crds import NO_MANIFEST, Manifest
from stacks.model.fleet import Fleet


def hub_store(
    fleet: Fleet,
    hub: ManagementHub,
    vault: pulumi_vault.Provider,
    manifest: Manifest = NO_MANIFEST,
) -> list[pulumi.Resource]:
    """External Secrets and its store on the hub, where the stack asks for one; what cluster Secrets wait for.

    `manifest` is External Secrets' own, where the stack has one.
    """
    if not fleet.hub.secret_store:
        return []
    who = vault_identity.of_hub(fleet, hub.access.server)
    in_vault = VaultIdentity(
        vault_identity.HUB,
        VaultIdentityArgs(
            fleet=fleet,
            identity=who,
            server=hub.access.server,
            ca_pem=hub.access.ca_pem,
            public_keys=[],
            provider=vault,
        ),
    )
    store = ExternalSecrets(
        vault_identity.HUB,
        ExternalSecretsArgs(
            fleet=fleet, identity=who, access=hub.access, manifest=manifest, renderer=None
        ),
        pulumi.ResourceOptions(providers=[hub.provider], depends_on=[in_vault]),
    )
    return [in_vault, store]
