"""How clusters are reached, by this machine and by the hub. Found while loading; no part of a stack file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ClusterAccess:
    """How this machine reaches one cluster.

    `server` is the API server's address without a trailing slash; `ca_data` is its CA as base64 of PEM, empty where the
    machine's own CAs vouch for it; `kubeconfig` is a whole kubeconfig of just this context, and secret; `user` is that
    context's user with the files that it points to put inside (`token`, `client-certificate-data`, `client-key-data`,
    `username`, `password`, `exec`), and secret too; `proxy` is the address of the proxy that leads to the server, empty
    where the context names none, and may hold a password.
    """

    context: str
    server: str
    ca_data: str
    kubeconfig: str = field(repr=False)
    user: Mapping[str, Any] = field(default_factory=dict, repr=False)
    proxy: str = field(default="", repr=False)

    @property
    def ca_pem(self) -> str:
        """The CA as PEM text, empty where the machine's own CAs vouch for the server."""
        return base64.b64decode(self.ca_data).decode()


@dataclass(frozen=True)
class Endpoint:
    """The API server of a spoke: reached by the hub at `server`, by this machine with `access`.

    `ca_data` is the CA as base64 of PEM, empty where public CAs vouch for the server. `access` is None where this
    machine has nothing to do with the cluster.
    """

    server: str
    ca_data: str
    access: ClusterAccess | None

    @property
    def ca_pem(self) -> str:
        """The CA as PEM text, empty where public CAs vouch for the server."""
        return base64.b64decode(self.ca_data).decode()
