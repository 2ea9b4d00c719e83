"""What the program makes on each cluster: objects by kind, namespace and name, to ask whether they are there already.

Pure. What a chart makes is not known before Pulumi's plugin has taken it apart: of that, its namespace is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stacks.desired import (
    argo_rollouts,
    argocd_install,
    argocd_manager,
    external_secrets_rights,
    vault_identity,
)
from stacks.desired.crds import NO_MANIFEST, Manifest
from stacks.desired.objects import CRD, KubernetesObject
from stacks.desired.vault_identity import Identity
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

ARGOCD = "fleet:argocd.manifest"
"""Where a stack file asks for Argo CD."""


@dataclass(frozen=True)
class Footprint:
    """One thing that comes onto one cluster.

    `where` is the place in the stack file that asks for it; `spoke` is None for the hub. Where Pulumi has made the
    first of `objects`, the stack has been here before: so it is one whose maker the API server knows, which it does not
    of an object that has nothing but a name. `crds` are the names of the CRDs that are applied beside Pulumi. `instead`
    says what else to do where such a thing is there already and is to stay.
    """

    where: str
    spoke: str | None
    objects: tuple[KubernetesObject, ...]
    instead: str
    crds: tuple[str, ...] = field(default=())


def footprints(
    fleet: Fleet,
    argocd: Manifest,
    external_secrets: Manifest,
    rollouts: Manifest = NO_MANIFEST,
) -> list[Footprint]:
    """Everything that the stack makes on the hub and on the spokes that Pulumi itself works on, in their order.

    Not on a spoke in quarantine, of which nothing is asked. Raises ManifestError as `argocd_install.installation` does.
    """
    found = []
    if fleet.owns_hub:
        install = argocd_install.installation(fleet, argocd.objects)
        found.append(
            Footprint(
                ARGOCD,
                None,
                (_namespace(fleet.argocd.namespace), *install.rest),
                "leave `manifest` out, and this stack joins it",
                tuple(one["metadata"]["name"] for one in install.crds),
            )
        )
    if fleet.hub.secret_store:
        who = vault_identity.of_hub(fleet, "")
        found.append(_external_secrets(fleet, who, external_secrets, "fleet:hub.secretStore", None))
    for index, spoke in enumerate(fleet.spokes):
        if not spoke.quarantine:
            where = f"fleet:spokes[{index}]"
            found += _on_spoke(fleet, spoke, external_secrets, where)
            if fleet.has_argo_rollouts(spoke):
                found.append(_argo_rollouts(fleet, spoke, rollouts, f"{where}.addons"))
    return [one for one in found if one.objects]


def _on_spoke(fleet: Fleet, spoke: Spoke, manifest: Manifest, where: str) -> Iterator[Footprint]:
    name = None if spoke.in_cluster else spoke.name
    if fleet.delivery_of(spoke) == "pulumi" and fleet.external_secrets:
        who = vault_identity.of_spoke(fleet, spoke)
        # The hub's own store has brought External Secrets along.
        install = not (spoke.in_cluster and fleet.hub.secret_store)
        yield _external_secrets(fleet, who, manifest, where, name, install=install)
    if spoke.has_identity:
        account = argocd_manager.of(fleet, spoke)
        rights = [one for pair in argocd_manager.roles(fleet, spoke) for one in pair]
        yield Footprint(
            where,
            name,
            (*rights, argocd_manager.token(account), argocd_manager.account(account)),
            "choose another `auth` for this spoke (docs/credentials.md): two Argo CDs can't share argocd-manager",
        )


def _argo_rollouts(fleet: Fleet, spoke: Spoke, manifest: Manifest, where: str) -> Footprint:
    own = argo_rollouts.objects(fleet, manifest)
    return Footprint(
        where,
        spoke.name,
        (argo_rollouts.namespace(fleet), *own),
        argo_rollouts.INSTEAD,
        tuple(manifest.digests),
    )


def _external_secrets(
    fleet: Fleet,
    who: Identity,
    manifest: Manifest,
    where: str,
    spoke: str | None,
    *,
    install: bool = True,
) -> Footprint:
    settings = fleet.external_secrets
    assert settings
    install = install and not settings.installed
    objects = vault_identity.stores(fleet, who)
    objects += external_secrets_rights.objects(fleet, who, install=install)
    if install:
        own = [one for one in manifest.objects if one["kind"] not in (CRD, "Namespace")]
        objects += [_namespace(settings.namespace), *own]
    return Footprint(
        where,
        spoke,
        tuple(objects),
        "write `installed: true` under `fleet:externalSecrets`, and Fleet makes the stores only",
        tuple(manifest.digests) if install else (),
    )


def _namespace(name: str) -> KubernetesObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
