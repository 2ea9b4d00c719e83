"""Vault: the files it is checked by, and that no spoke gets into what is another's."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from stacks.checks.contract_of import Contract
from stacks.checks.pem import PemError, check_certificates, check_public_keys
from stacks.desired import vault_identity
from stacks.desired.policy_paths import covers, overlap
from stacks.desired.vault_identity import Grant
from stacks.model.auth import VaultAuth
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke
from stacks.model.vault import Vault

ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes that the names and values of one object's annotations may have in Kubernetes, taken together."""


def files(fleet: Fleet) -> Iterator[Problem]:
    """Vault's CA, where it isn't a PEM file of certificates."""
    if fleet.vault and fleet.vault.ca_file:
        try:
            check_certificates(fleet.vault.ca_file)
        except PemError as error:
            yield Problem("fleet:vault.caFile", str(error))


def sizes(fleet: Fleet, contracts: Sequence[Contract]) -> Iterator[Problem]:
    """Cluster Secrets that Kubernetes would refuse, as the stores that they carry hold Vault's CA, each of them."""
    vault = fleet.vault
    ca = Path(vault.ca_file).read_bytes() if vault and vault.ca_file else b""
    stores = len(fleet.secret_stores)
    told = False
    for index, (spoke, known) in enumerate(zip(fleet.spokes, contracts, strict=True)):
        size = sum(len(f"{key}{value}".encode()) for key, value in known.annotations.items())
        if size <= ANNOTATIONS_LIMIT:
            continue
        delivered = fleet.delivery_of(spoke) == "argocd"
        share = len(base64.b64encode(ca)) * stores if delivered else 0
        limit = f"Kubernetes takes {_kib(ANNOTATIONS_LIMIT)}"
        if size - share > ANNOTATIONS_LIMIT:
            yield Problem(
                f"fleet:spokes[{index}].annotations",
                f'the annotations of the cluster Secret of "{spoke.name}" come to {_kib(size)}, and {limit}; write '
                "fewer or shorter ones",
            )
        elif not told:
            told = True
            yield Problem(
                "fleet:vault.caFile",
                f'the annotations of the cluster Secret of "{spoke.name}" come to {_kib(size)}, and {limit}: with '
                f"`delivery: argocd` they hold this file ({_kib(len(ca))}) in base64, once per store "
                f"({stores}); give a file with Vault's own CA only, or write `delivery: pulumi`",
            )


def _kib(size: int) -> str:
    return f"{-(-size // 1024)} KiB"


def problems(fleet: Fleet) -> Iterator[Problem]:
    """What is wrong with the spokes' ways into Vault."""
    vault = fleet.vault
    if not vault:
        return
    if vault.token_max_ttl and vault.token_max_ttl < vault.token_ttl:
        yield Problem(
            "fleet:vault.tokenMaxTtl",
            f"is less than tokenTtl ({vault.token_ttl}); raise it, or leave it out",
        )
    yield from _namespaces(fleet, vault)
    yield from _public_keys(fleet)
    yield from _paths(fleet, vault)
    yield from _isolation(fleet, vault)
    if fleet.external_secrets:
        yield from _mounts(fleet, vault)
        yield from _credentials(fleet)
    yield from _entries(fleet)


def _namespaces(fleet: Fleet, vault: Vault) -> Iterator[Problem]:
    """Full paths, where the stack file names namespaces from `parentNamespace` on."""
    store = fleet.hub.secret_store
    parent = f"{vault.parent_namespace}/"
    for where, name in (
        ("fleet:vault.namespace", vault.namespace),
        ("fleet:hub.secretStore.namespace", store.namespace if store else None),
    ):
        if vault.parent_namespace and name and f"{name}/".startswith(parent):
            below = name[len(parent) :]
            yield Problem(
                where,
                f'"{name}" would be {vault.full_namespace(name)}, as it is below parentNamespace; '
                + (f'write "{below}"' if below else "leave it out"),
            )


def _public_keys(fleet: Fleet) -> Iterator[Problem]:
    for index, spoke in enumerate(fleet.spokes):
        where = f"fleet:spokes[{index}].jwtPublicKeys"
        if spoke.jwt_public_keys and fleet.vault_auth_of(spoke) == "kubernetes":
            yield Problem(
                where,
                "says nothing with Vault's auth `kubernetes`, where the spoke itself reviews its tokens; take it out, "
                "or write `vaultAuth: jwt`",
            )
        for position, path in enumerate(spoke.jwt_public_keys):
            try:
                check_public_keys(path)
            except PemError as error:
                yield Problem(f"{where}[{position}]", str(error))


def _paths(fleet: Fleet, vault: Vault) -> Iterator[Problem]:
    """Paths with what Vault's API puts before them: Fleet does that itself, and so they would name nothing."""
    places = [("fleet:vault.readPaths", vault.mount, vault.read_paths)]
    places += [
        (f"fleet:secretStores[{index}].readPaths", store.mount or vault.mount, store.read_paths)
        for index, store in enumerate(fleet.secret_stores)
        if store.read_paths
    ]
    if store := fleet.hub.secret_store:
        mount = store.mount or vault.mount
        places.append(("fleet:hub.secretStore.readPaths", mount, store.read_paths))
    for where, mount, paths in places:
        for index, path in enumerate(paths):
            bare = path.removeprefix(f"{mount}/")
            bare = re.sub(r"^(data|metadata)/", "", bare)
            if bare != path:
                yield Problem(
                    f"{where}[{index}]",
                    f'"{path}" begins with what Vault\'s API has before a path, and here it begins below the mount '
                    f'"{mount}"; write "{bare}"',
                )


def _isolation(fleet: Fleet, vault: Vault) -> Iterator[Problem]:
    """Spokes of two environments must not read each other's secrets."""
    if len({spoke.environment for spoke in fleet.spokes}) < 2 or _apart(vault.namespace or ""):
        return
    places = [
        (f"fleet:secretStores[{index}].readPaths", store.read_paths)
        for index, store in enumerate(fleet.secret_stores)
        if store.read_paths
    ]
    if len(places) < len(fleet.secret_stores):
        places.append(("fleet:vault.readPaths", vault.read_paths))
    for where, paths in places:
        for index, path in enumerate(paths):
            if not _apart(path):
                yield Problem(
                    f"{where}[{index}]",
                    f'"{path}" lets every environment read the same secrets; begin it with "{{environment}}/", '
                    'or set `namespace: "{environment}"` in fleet:vault',
                )


def _apart(template: str) -> bool:
    return "{environment}" in template or "{cluster}" in template


def _mounts(fleet: Fleet, vault: Vault) -> Iterator[Problem]:
    """Each spoke has an auth mount and policies of its own, or one could log in as another."""
    path = vault.auth_path
    if path and "{cluster}" not in path:
        yield Problem(
            "fleet:vault.authPath",
            f'"{path}" is the same for several clusters; each needs a mount of its own: put {{cluster}} into it, e.g. '
            f'"{path}-{{cluster}}"',
        )
        return
    seen: dict[tuple[str | None, str, str], str] = {}
    for index, spoke in enumerate(fleet.spokes):
        mine = vault_identity.of_spoke(fleet, spoke)
        names = [("auth mount", mine.path.strip("/"))]
        names += [("policy", grant.policy) for grant in mine.grants]
        for kind, name in names:
            other = seen.setdefault((mine.full_namespace, kind, name), spoke.name)
            if other != spoke.name:
                yield Problem(
                    f"fleet:spokes[{index}].name",
                    f'"{spoke.name}" would have the {kind} "{name}" of "{other}" in Vault; rename the store or role in '
                    "question, or mend fleet:vault.authPath",
                )


def _credentials(fleet: Fleet) -> Iterator[Problem]:
    """What the hub logs in to spokes with is not for the spokes to read."""
    told = False
    for index, spoke in enumerate(fleet.spokes):
        for grant, pattern, theirs in readable(fleet, spoke, fleet):
            path = spoke.fill(spoke.auth.path) if isinstance(spoke.auth, VaultAuth) else ""
            if path and covers(pattern, path):
                yield Problem(
                    f"fleet:spokes[{index}].auth.path",
                    f'the spoke\'s own store "{grant.store}" may read "{path}", which is what Argo CD logs in '
                    "with; narrow its readPaths, or give fleet:hub.secretStore a mount of its own",
                )
            elif not told:
                told = True
                yield Problem(
                    "fleet:hub.secretStore.readPaths",
                    f'"{theirs}" is where the hub has what Argo CD logs in to spokes with, and the store '
                    f'"{grant.store}" of "{spoke.name}" may read "{pattern}" there; give this one a mount of its own, '
                    "or narrow the spokes' readPaths",
                )


def readable(fleet: Fleet, spoke: Spoke, owner: Fleet) -> Iterator[tuple[Grant, str, str]]:
    """What a spoke may read of the store of `owner`'s hub: by which grant and path, and by which the hub."""
    if not owner.hub.secret_store or not owner.vault or not owner.external_secrets:
        return
    mine, hub = vault_identity.of_spoke(fleet, spoke), vault_identity.of_hub(owner, server="")
    if mine.full_namespace != hub.full_namespace:
        return
    (its,) = hub.grants
    for grant in mine.grants:
        if grant.mount == its.mount:
            for pattern in grant.read_paths:
                for theirs in its.read_paths:
                    if overlap(pattern, theirs):
                        yield grant, pattern, theirs


def _entries(fleet: Fleet) -> Iterator[Problem]:
    """Two spokes must not have one entry: whoever renews the credential of one would break the other."""
    seen: dict[tuple[str, str], str] = {}
    for index, spoke in enumerate(fleet.spokes):
        if isinstance(spoke.auth, VaultAuth):
            path = spoke.fill(spoke.auth.path)
            other = seen.setdefault((spoke.auth.store, path), spoke.name)
            if other != spoke.name:
                yield Problem(
                    f"fleet:spokes[{index}].auth.path",
                    f'"{path}" is where "{other}" has its credential; put {{cluster}} into the path',
                )
