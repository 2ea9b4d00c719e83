"""The spokes themselves: names, servers, places, labels, and how the hub reaches them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from stacks.checks.contract_of import Contract
from stacks.checks.issuers import is_inside
from stacks.checks.pem import PemError, check_certificates
from stacks.checks.repeats import repeated, repeats
from stacks.desired import vault_identity
from stacks.model.auth import VaultAuth
from stacks.model.errors import Problem, did_you_mean
from stacks.model.fields import server_key
from stacks.model.fleet import Fleet
from stacks.model.spoke import Rbac, Spoke

IN_CLUSTER_NAME = "in-cluster"
PROXY_SCHEMES = ("http", "https", "socks5")
_KEY_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_KEY_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def problems(fleet: Fleet) -> Iterator[Problem]:
    """What is wrong with the spokes, beside their environments and credentials."""
    yield from repeated("fleet:environments", fleet.environments)
    yield from _protected(fleet)
    yield from repeated("fleet:allowDeletion", fleet.allow_deletion)
    if fleet.argocd.config and not fleet.owns_hub:
        yield Problem(
            "fleet:argocd.config",
            "belongs to the stack that owns the hub, the one with `fleet:argocd.manifest`; put it there",
        )
    yield from _names(fleet)
    yield from _servers(fleet)
    yield from _in_cluster(fleet)
    yield from _rbac("fleet:rbac", fleet.rbac)
    certified: dict[str, str] = {}
    for index, spoke in enumerate(fleet.spokes):
        where = f"fleet:spokes[{index}]"
        yield from _tls(where, spoke, fleet, certified)
        yield from _keys(where, spoke)
        if spoke.rbac:
            yield from _rbac(f"{where}.rbac", spoke.rbac)
            yield from _rights(f"{where}.rbac", spoke, spoke.rbac)
        if spoke.proxy_url:
            yield from _proxy(where, spoke.proxy_url)
        if spoke.shard is not None and spoke.shard >= fleet.argocd.controller_replicas:
            yield Problem(
                f"{where}.shard",
                f"there is no application controller {spoke.shard}: they count from 0, and "
                f"fleet:argocd.controllerReplicas is {fleet.argocd.controller_replicas}; raise it to the hub's number, "
                "or choose a lower shard",
            )


def environments(fleet: Fleet) -> Iterator[Problem]:
    """Spokes in environments that the fleet doesn't have."""
    for index, spoke in enumerate(fleet.spokes):
        if spoke.environment not in fleet.environments:
            yield Problem(
                f"fleet:spokes[{index}].environment",
                f'unknown environment "{spoke.environment}"; fleet:environments has '
                f"{', '.join(fleet.environments)}{did_you_mean(spoke.environment, fleet.environments)}",
            )


def _protected(fleet: Fleet) -> Iterator[Problem]:
    """Words that protect nothing, where an environment was likely meant to be protected."""
    open_ones = [one for one in fleet.environments if one not in fleet.protected_environments]
    if "protected_environments" not in fleet.model_fields_set:
        for one in open_ones:
            if one.startswith("prod"):
                yield Problem(
                    "fleet:protectedEnvironments",
                    f'"{one}" is not protected, as the default is {", ".join(fleet.protected_environments)}; write '
                    f"`[{one}]`, or `[]` if nothing is to be",
                )
        return
    for index, word in enumerate(fleet.protected_environments):
        if word not in fleet.environments and (hint := did_you_mean(word, open_ones)):
            yield Problem(
                f"fleet:protectedEnvironments[{index}]",
                f'"{word}" is none of fleet:environments{hint}',
            )


def reserved(fleet: Fleet, contracts: Sequence[Contract]) -> Iterator[Problem]:
    """Labels and annotations of a spoke's own that Fleet sets."""
    for index, (spoke, contract) in enumerate(zip(fleet.spokes, contracts, strict=True)):
        kinds = (
            ("labels", spoke.labels, contract.reserved_labels),
            ("annotations", spoke.annotations, contract.reserved_annotations),
        )
        for kind, given, ours in kinds:
            for name in given:
                if name in ours:
                    yield Problem(
                        f"fleet:spokes[{index}].{kind}.{name}",
                        "is set by Fleet; choose another name",
                    )


def _names(fleet: Fleet) -> Iterator[Problem]:
    for index, first, spoke in repeats(fleet.spokes, lambda spoke: spoke.name):
        yield Problem(
            f"fleet:spokes[{index}].name",
            f'"{spoke.name}" is the name of fleet:spokes[{first}] already; names are unique and immutable',
        )
    for index, spoke in enumerate(fleet.spokes):
        if spoke.name == IN_CLUSTER_NAME:
            yield Problem(
                f"fleet:spokes[{index}].name",
                f'"{spoke.name}" is Argo CD\'s own name for the hub; choose another',
            )
    if fleet.hub.secret_store:
        for index, spoke in enumerate(fleet.spokes):
            if spoke.name in (vault_identity.HUB, fleet.hub.secret_store.cluster):
                yield Problem(
                    f"fleet:spokes[{index}].name",
                    f'"{spoke.name}" is what the hub itself is called in Vault, as fleet:hub.secretStore is set; '
                    f'choose another name, e.g. "{spoke.name}-cluster"',
                )


def _servers(fleet: Fleet) -> Iterator[Problem]:
    # Two cluster Secrets with one server clobber each other in Argo CD.
    for index, first, spoke in repeats(fleet.spokes, lambda spoke: server_key(spoke.server)):
        if spoke.name != fleet.spokes[first].name and not spoke.in_cluster:
            yield Problem(
                f"fleet:spokes[{index}].server",
                f'"{spoke.name}" has the server of "{fleet.spokes[first].name}" ({spoke.server}); Argo CD takes one '
                "cluster Secret per server: give it a context or `server:` of its own",
            )


def _in_cluster(fleet: Fleet) -> Iterator[Problem]:
    inside = [index for index, spoke in enumerate(fleet.spokes) if spoke.in_cluster]
    for index, spoke in enumerate(fleet.spokes):
        if is_inside(spoke.server) and not spoke.in_cluster:
            yield Problem(
                f"fleet:spokes[{index}].server",
                f'"{spoke.server}" is the hub itself, by which name only Argo CD\'s own pods know it; write '
                "`auth: {kind: inCluster}`, without `server`, or the spoke's address",
            )
    for index in inside:
        if not fleet.owns_hub:
            yield Problem(
                f"fleet:spokes[{index}].auth.kind",
                '"inCluster" is the hub, which belongs to the stack with `fleet:argocd.manifest`; put this spoke there',
            )
        elif index != inside[0]:
            yield Problem(
                f"fleet:spokes[{index}].auth.kind",
                f'"inCluster" is the hub, which is fleet:spokes[{inside[0]}] already; take one out',
            )


def _tls(where: str, spoke: Spoke, fleet: Fleet, certified: dict[str, str]) -> Iterator[Problem]:
    tls = spoke.tls
    if tls.insecure and spoke.environment in fleet.protected_environments:
        yield Problem(
            f"{where}.tls.insecure",
            f'refused, as "{spoke.environment}" is one of fleet:protectedEnvironments: anybody on the way could read '
            "the credential; write `caFile:` instead, or `serverName:` where only the name differs",
        )
    if not tls.ca_file:
        return
    if tls.insecure:
        yield Problem(f"{where}.tls", "insecure and caFile exclude each other; take `insecure` out")
    if tls.ca_file not in certified:
        try:
            check_certificates(tls.ca_file)
            certified[tls.ca_file] = ""
        except PemError as error:
            certified[tls.ca_file] = str(error)
    if certified[tls.ca_file]:
        yield Problem(f"{where}.tls.caFile", certified[tls.ca_file])


def _rbac(where: str, rbac: Rbac) -> Iterator[Problem]:
    for key in ("rules", "namespaces"):
        if rbac.cluster_admin and getattr(rbac, key):
            yield Problem(
                f"{where}.clusterAdmin",
                f"gives everything everywhere, so that `{key}` says nothing; take one of them out",
            )
    yield from repeated(f"{where}.namespaces", rbac.namespaces)


def _rights(where: str, spoke: Spoke, rbac: Rbac) -> Iterator[Problem]:
    """Rights that a spoke's block asks for, where somebody else gives the identity its rights."""
    if spoke.has_identity or isinstance(spoke.auth, VaultAuth):
        return
    for key, asked in (("clusterAdmin", rbac.cluster_admin), ("rules", rbac.rules)):
        if asked:
            yield Problem(
                f"{where}.{key}",
                f"says nothing with `auth: {{kind: {spoke.auth.kind}}}`, whose identity has its rights from elsewhere; "
                "take it out, and give them there",
            )


def _proxy(where: str, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # The address is not quoted: it may hold a password.
    if not usable:
        yield Problem(
            f"{where}.proxyUrl",
            "is no proxy's address: write http://, https:// or socks5://, a host and a port",
        )
    elif parts.username or parts.password:
        yield Problem(
            f"{where}.proxyUrl",
            "holds a user or password, and a stack file holds no secret; use a proxy that needs none",
        )


def _keys(where: str, spoke: Spoke) -> Iterator[Problem]:
    for index, addon in enumerate(spoke.addons):
        if (bare := re.sub(r"^enable[_-]", "", addon)) != addon:
            yield Problem(
                f"{where}.addons[{index}]",
                f'makes the label `enable_{addon}`: Fleet puts `enable_` before it; write "{bare}"',
            )
            continue
        if not _is_label_key(f"enable_{addon}") or "/" in addon:
            yield Problem(
                f"{where}.addons[{index}]",
                f'"{addon}" makes no label: `enable_{addon}` must be at most 63 letters, digits, "-", "_" and ".", '
                "with a letter or digit at the end",
            )
    for kind, given in (("labels", spoke.labels), ("annotations", spoke.annotations)):
        for key in given:
            if not _is_label_key(key):
                yield Problem(
                    f"{where}.{kind}.{key}",
                    f'is no name for one of the {kind}: use at most 63 letters, digits, "-", "_" and ".", with a '
                    "letter or digit at both ends; a DNS name and a `/` may stand before it",
                )


def _is_label_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(len(name) <= 63 and _KEY_NAME.fullmatch(name)) and (
        not slash or bool(len(prefix) <= 253 and _KEY_PREFIX.fullmatch(prefix))
    )
