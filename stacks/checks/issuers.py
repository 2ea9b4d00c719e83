"""Who signs the spokes' tokens, and whether Vault can learn the keys from there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from stacks.model.auth import VaultAuth
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

# By the kind of auth, or by the end of the API server's host: of these the issuer is never the API server.
_CLOUDS = {
    "eks": (
        "EKS",
        (".eks.amazonaws.com", ".eks.amazonaws.com.cn"),
        "`aws eks describe-cluster --name <name> --query cluster.identity.oidc.issuer`",
    ),
    "gke": (
        "GKE",
        (".gke.goog",),
        "https://container.googleapis.com/v1/projects/<project>/locations/<location>/clusters/<name>",
    ),
    "aks": (
        "AKS",
        (".azmk8s.io", ".azmk8s.us", ".cx.prod.service.azk8s.cn"),
        "`az aks show --name <name> --resource-group <group> --query oidcIssuerProfile.issuerUrl`",
    ),
}
_INSIDE = re.compile(r"kubernetes(\.default(\.svc(\..+)?)?)?")
# https://ranchermanager.docs.rancher.com/how-to-guides/new-user-guides/manage-clusters/access-clusters/authorized-cluster-endpoint
_RANCHER = re.compile(r"/k8s/clusters/[^/]+")


def problems(fleet: Fleet) -> Iterator[Problem]:
    """Issuers that Vault can't ask, and servers that take no ServiceAccount's token."""
    for index, spoke in enumerate(fleet.spokes):
        where = f"fleet:spokes[{index}]"
        if fleet.vault and fleet.vault_auth_of(spoke) == "jwt" and not spoke.jwt_public_keys:
            yield from _discovery(where, spoke)
        yield from _proxied(where, spoke)
        if spoke.api_audience and fleet.vault and fleet.vault_auth_of(spoke) != "kubernetes":
            yield Problem(
                f"{where}.apiAudience",
                "says nothing with Vault's auth `jwt`; take it out, or write `vaultAuth: kubernetes`",
            )


def is_inside(address: str) -> bool:
    """Whether an address is the one by which pods know their own API server."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return _INSIDE.fullmatch(host.rstrip(".")) is not None


def _discovery(where: str, spoke: Spoke) -> Iterator[Problem]:
    keys = "or give its signing keys by `jwtPublicKeys:`"
    if not spoke.issuer:
        if found := _cloud(spoke):
            name, read = found
            yield Problem(
                f"{where}.issuer",
                f"required on {name}, whose issuer is never the API server; add it ({read}), {keys}",
            )
    elif is_inside(spoke.issuer):
        yield Problem(
            f"{where}.issuer",
            f'"{spoke.issuer}" is known inside of the cluster only, so that Vault can\'t ask there; give the signing '
            "keys by `jwtPublicKeys:` (`kubectl get --raw /openid/v1/jwks`), or write `vaultAuth: kubernetes`",
        )
    elif not re.fullmatch(r"https://[^\s/@]+(/\S*)?", spoke.issuer):
        yield Problem(
            f"{where}.issuer",
            f'"{spoke.issuer}" is no https:// address, at which Vault could ask for the keys; mend it, {keys}',
        )


def _cloud(spoke: Spoke) -> tuple[str, str] | None:
    """The cloud that a spoke is in, and where it says who its issuer is."""
    host = (urlsplit(spoke.server).hostname or "").rstrip(".")
    for kind, (name, ends, read) in _CLOUDS.items():
        if spoke.auth.kind == kind or host.endswith(ends):
            return name, read
    return ("GKE", _CLOUDS["gke"][2]) if spoke.context.startswith("gke_") else None


def _proxied(where: str, spoke: Spoke) -> Iterator[Problem]:
    """Rancher's proxy, which knows Rancher's own tokens only."""
    ours = spoke.has_identity or isinstance(spoke.auth, VaultAuth)
    if ours and _RANCHER.match(urlsplit(spoke.server).path):
        yield Problem(
            f"{where}.server",
            f"\"{spoke.server}\" is Rancher's proxy, which answers a ServiceAccount's token with 401; name the context "
            "of the cluster's own address (its authorized endpoint), or write `auth: {kind: token}` with a token of "
            "Rancher's",
        )
