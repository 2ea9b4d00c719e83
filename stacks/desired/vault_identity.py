"""Who a spoke is to Vault, and which stores follow from it. Pure: components make it, the contract carries it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacks.desired import signing_keys
from stacks.model.fleet import Fleet
from stacks.model.spoke import USUAL_API_AUDIENCES, Spoke, VaultMethod

HUB = "hub"
"""What the resources of the hub's own identity are named after."""
PLAIN_STORE = "vault-backend"
"""The store whose role and policy have no suffix."""
LOGIN_SECONDS = 600


@dataclass(frozen=True)
class Grant:
    """One store on a cluster: the role it logs in with, the policy behind it, what that may read, and who may use it.

    `suffix` tells what belongs to this store from what belongs to another; the usual store's is empty.
    """

    store: str
    suffix: str
    role: str
    policy: str
    mount: str
    read_paths: tuple[str, ...]
    conditions: tuple[dict[str, Any], ...] = ()

    @property
    def policy_text(self) -> str:
        """The Vault policy: read these paths of the KV version 2 mount, and nothing else."""
        rules = []
        for path in self.read_paths:
            rules.append(f'path "{self.mount}/data/{path}" {{\n  capabilities = ["read"]\n}}')
            rules.append(
                f'path "{self.mount}/metadata/{path}" {{\n  capabilities = ["read", "list"]\n}}'
            )
        return "\n".join(rules)


@dataclass(frozen=True)
class Identity:
    """A cluster's identity in Vault: an auth mount of its own, with a role and a policy per store.

    `relative_namespace` is for Pulumi's provider alone, which puts `parentNamespace` before it. All others, stores
    and whoever compares, take `full_namespace`.
    """

    cluster: str
    relative_namespace: str | None
    full_namespace: str | None
    method: VaultMethod
    path: str
    issuer: str
    account: str
    account_namespace: str
    grants: tuple[Grant, ...]
    api_audiences: tuple[str, ...] = ()
    """With Kubernetes auth: what its API server may take for its own audience."""

    @property
    def subject(self) -> str:
        """The ServiceAccount as it stands in a token's `sub`."""
        return f"system:serviceaccount:{self.account_namespace}:{self.account}"


def of_spoke(fleet: Fleet, spoke: Spoke) -> Identity:
    """The identity of a spoke. The fleet has `vault` and `externalSecrets`, as every fleet with spokes."""
    vault, external_secrets = fleet.vault, fleet.external_secrets
    assert vault
    assert external_secrets
    method = fleet.vault_auth_of(spoke)
    namespace = spoke.fill(vault.namespace) if vault.namespace else None
    grants = []
    for store in fleet.secret_stores:
        # By name and not by place, so that stores may come, go and change places without touching each other.
        suffix = "" if store.name == PLAIN_STORE else f"-{store.name}"
        role = f"{vault.role}{suffix}"
        grants.append(
            Grant(
                store=store.name,
                suffix=suffix,
                role=role,
                policy=f"{spoke.name}-{role}",
                mount=store.mount or vault.mount,
                read_paths=tuple(map(spoke.fill, store.read_paths or vault.read_paths)),
                conditions=_conditions(store.namespaces, store.namespace_labels),
            )
        )
    return Identity(
        cluster=spoke.name,
        relative_namespace=namespace,
        full_namespace=vault.full_namespace(namespace),
        method=method,
        path=spoke.fill(vault.auth_path or f"{method}-{{cluster}}"),
        issuer=spoke.issuer or spoke.server,
        account=external_secrets.service_account,
        account_namespace=external_secrets.namespace,
        grants=tuple(grants),
        api_audiences=_api_audiences(spoke) if method == "kubernetes" else (),
    )


def of_hub(fleet: Fleet, server: str) -> Identity:
    """The identity of the hub, which reads the spokes' credentials. The fleet's hub has a `secretStore`."""
    vault, external_secrets, store = fleet.vault, fleet.external_secrets, fleet.hub.secret_store
    assert vault
    assert external_secrets
    assert store
    return Identity(
        cluster=store.cluster,
        relative_namespace=store.namespace,
        full_namespace=vault.full_namespace(store.namespace),
        method="jwt",
        path=f"jwt-{store.cluster}",
        issuer=store.issuer or server,
        account=external_secrets.service_account,
        account_namespace=external_secrets.namespace,
        grants=(
            Grant(
                store=store.name,
                suffix="",
                role=vault.role,
                policy=f"{store.cluster}-{vault.role}",
                mount=store.mount or vault.mount,
                read_paths=tuple(store.read_paths),
                # Only cluster Secrets are made from it, and those are in Argo CD's namespace.
                conditions=({"namespaces": [fleet.argocd.namespace]},),
            ),
        ),
    )


def everyone(fleet: Fleet) -> list[Identity]:
    """The identities that this stack makes: of its spokes, and of the hub where that has a `secretStore`."""
    found = [of_spoke(fleet, spoke) for spoke in fleet.spokes]
    if fleet.hub.secret_store:
        found.append(of_hub(fleet, server=""))
    return found


def kv_mounts(fleet: Fleet) -> list[tuple[str | None, str]]:
    """The relative namespace and the path of every KV engine that this stack's clusters read from, each once."""
    places = {
        (one.relative_namespace, grant.mount) for one in everyone(fleet) for grant in one.grants
    }
    return sorted(places, key=lambda place: (place[0] or "", place[1]))


def public_keys(files: Iterable[str]) -> list[str]:
    """The keys in these files, of PEM or JWKS, one PEM for each: without a line break at the end, as Vault keeps them.

    Raises OSError where a file can't be read, JwksError where it is none; loading a stack file has checked both.
    """
    return [key for file in files for key in signing_keys.keys(Path(file).read_text())]


def stores(fleet: Fleet, identity: Identity) -> list[dict[str, Any]]:
    """The ClusterSecretStores of a cluster, as Kubernetes objects, in the order of the stack file.

    Raises OSError where `fleet:vault.caFile` can't be read; loading a stack file has checked that it can.
    """
    vault = fleet.vault
    assert vault
    found = []
    for grant in identity.grants:
        provider: dict[str, Any] = {
            "server": vault.address,
            "path": grant.mount,
            "version": "v2",
            "auth": _auth(identity, grant, vault.audience),
        }
        if identity.full_namespace:
            provider["namespace"] = identity.full_namespace
        if vault.ca_file:
            provider["caBundle"] = base64.b64encode(Path(vault.ca_file).read_bytes()).decode()
        spec: dict[str, Any] = {"provider": {"vault": provider}}
        if grant.conditions:
            spec["conditions"] = [dict(one) for one in grant.conditions]
        found.append(
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "ClusterSecretStore",
                "metadata": {"name": grant.store},
                "spec": spec,
            }
        )
    return found


def _auth(identity: Identity, grant: Grant, audience: str) -> dict[str, Any]:
    account = {"name": identity.account, "namespace": identity.account_namespace}
    if identity.method == "kubernetes":
        # Vault has the token reviewed by the cluster's API server, and calls there with this same token. So it must
        # be good there too: one audience of several that it knows is enough.
        audiences = list(dict.fromkeys([audience, *identity.api_audiences]))
        account_ref = {**account, "audiences": audiences}
        return {
            "kubernetes": {
                "mountPath": identity.path,
                "role": grant.role,
                "serviceAccountRef": account_ref,
            }
        }
    return {
        "jwt": {
            "path": identity.path,
            "role": grant.role,
            "kubernetesServiceAccountToken": {
                "serviceAccountRef": {**account, "audiences": [audience]},
                "expirationSeconds": LOGIN_SECONDS,
            },
        }
    }


def _api_audiences(spoke: Spoke) -> tuple[str, ...]:
    if spoke.api_audience:
        return (spoke.api_audience,)
    # By default an API server takes its issuer for its audience. The hub's is filled in by loading, and a guess.
    issuer = (spoke.issuer,) if spoke.issuer and not spoke.in_cluster else ()
    return (*issuer, *USUAL_API_AUDIENCES)


def _conditions(names: list[str], labels: dict[str, str]) -> tuple[dict[str, Any], ...]:
    """External Secrets takes a namespace that meets any one of the conditions; without any, every namespace."""
    found: list[dict[str, Any]] = []
    if names:
        found.append({"namespaces": list(names)})
    if labels:
        found.append({"namespaceSelector": {"matchLabels": dict(sorted(labels.items()))}})
    return tuple(found)
