"""What a kubeconfig's context says of the way to its cluster, beside the address: the hub's way too, or refused.

`argocd cluster add` carries the same over into its cluster Secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stacks.model.errors import Problem
from stacks.model.fields import is_loopback
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

_SCHEMES = ("http://", "https://", "socks5://")


def reached_by(
    fleet: Fleet, spoke: Spoke, cluster: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], list[Problem]]:
    """The keys of a spoke that follow from its context's `cluster`, and what the stack file must say instead.

    Nothing where the stack file has a server of its own: the context is then this machine's way only.
    """
    if spoke.server:
        return {}, []
    filled: dict[str, Any] = {}
    problems = []
    name = cluster.get("tls-server-name")
    if name and not spoke.tls.server_name:
        filled["tls"] = spoke.tls.model_copy(update={"server_name": name})
    if cluster.get("insecure-skip-tls-verify") and not (spoke.tls.insecure or spoke.tls.ca_file):
        problems.append(Problem(f"{where}.tls", _unchecked(fleet, spoke)))
    proxy = (cluster.get("proxy-url") or "").strip()
    if proxy and not spoke.proxy_url:
        # Not quoted: it may hold a password.
        if is_loopback(proxy) or "@" in proxy or not proxy.startswith(_SCHEMES):
            problems.append(
                Problem(
                    f"{where}.proxyUrl",
                    "the context goes through a proxy that only this machine can use; write `proxyUrl:` with one "
                    "for the hub, or `server:` with an address that needs none",
                )
            )
        else:
            filled["proxy_url"] = proxy
    return filled, problems


def _unchecked(fleet: Fleet, spoke: Spoke) -> str:
    said = "the context doesn't check the certificate (`insecure-skip-tls-verify`)"
    if spoke.environment in fleet.protected_environments:
        return (
            f'{said}, and "{spoke.environment}" is one of fleet:protectedEnvironments; write `tls: {{caFile: …}}` with '
            "the cluster's CA"
        )
    return (
        f"{said}; write `tls: {{caFile: …}}` with the cluster's CA, or `tls: {{insecure: true}}` if the hub is not to "
        "check it either"
    )
