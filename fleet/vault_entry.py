"""The entry in Vault that a spoke's credential is kept in: where it is, and writing it.

Where it is follows from the ClusterSecretStore on the hub, which reads it: so a stack that joins a hub writes where
the stack that owns the hub reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hvac
import requests

from live.cluster_api import ClusterAPI, NotFound, Unreachable
from stacks.model.auth import VaultAuth
from stacks.model.spoke import Spoke
from stacks.model.vault import Vault

TIMEOUT_SECONDS = 10


class VaultError(Exception):
    """Vault can't be written to, or the hub doesn't say where; the message is one line for the user."""


@dataclass(frozen=True)
class Entry:
    """An entry of a KV version 2 mount, and the address of the Vault that the hub reads it from ("": not known)."""

    mount: str
    path: str
    namespace: str = ""
    server: str = ""

    def __str__(self) -> str:
        """E.g. `secret/clusters/prod-1 in namespace platform`."""
        inside = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.mount}/{self.path}{inside}"


def entry_of(
    hub: ClusterAPI, spoke: Spoke, auth: VaultAuth, described: Entry | None = None
) -> Entry:
    """Where the hub reads the credential of `spoke`.

    `described` is what the stack file says, for a store that this stack makes and the hub doesn't have yet: that `up`
    waits for the credential. Raises VaultError, or Unreachable where the hub doesn't answer.
    """
    name = f"ClusterSecretStore {auth.store}"
    try:
        item = hub.json(f"/apis/external-secrets.io/v1/clustersecretstores/{auth.store}")
    except NotFound:
        if described:
            return described
        raise VaultError(
            f"the hub has no {name}: the stack that owns the hub makes it, by `hub.secretStore`; run `pulumi up` there"
        ) from None
    except Unreachable as error:
        raise Unreachable(f"the hub: {error}") from None
    provider: Mapping[str, Any] = item.get("spec", {}).get("provider", {}).get("vault") or {}
    if not provider.get("path") or provider.get("version", "v2") != "v2":
        raise VaultError(f"{name} on the hub reads no KV version 2 mount of a Vault")
    return Entry(
        provider["path"],
        spoke.fill(auth.path),
        provider.get("namespace", ""),
        provider.get("server", ""),
    )


class Writer:
    """Writes one entry, with the token of whoever runs this."""

    def __init__(self, vault: Vault, entry: Entry, token: str) -> None:
        self._vault, self._entry, self._address, self._token = vault, entry, vault.address, token
        self._client = self._at(entry.namespace)

    def _at(self, namespace: str) -> hvac.Client:
        return hvac.Client(
            url=self._address,
            token=self._token,
            namespace=namespace or None,
            verify=self._vault.ca_file or True,
            timeout=TIMEOUT_SECONDS,
        )

    def check(self) -> None:
        """Raises VaultError where Vault doesn't answer, or the token may not write the entry."""
        path = f"{self._entry.mount}/data/{self._entry.path}"
        try:
            client, prefix = self._asking()
            path = f"{prefix}{path}"
            answer = client.sys.get_capabilities(paths=[path])
        except (hvac.exceptions.VaultError, requests.RequestException) as error:
            raise self._explained(error) from None
        may = set(answer.get("data", {}).get(path) or answer.get("capabilities") or ())
        if "root" not in may and not {"create", "update"} <= may:
            raise VaultError(
                f"the token in VAULT_TOKEN may not write {self._entry}: it needs create and update on {path}"
            )

    def _asking(self) -> tuple[hvac.Client, str]:
        """Where to ask what the token may, and what is put before the entry's path there.

        That is the token's own namespace: its policy `default` lets it ask there, and nothing below.
        """
        try:
            known = self._at("").auth.token.lookup_self().get("data") or {}
        except hvac.exceptions.Forbidden:
            return self._client, ""  # If it is dead, the next question says so.
        home = str(known.get("namespace_path") or "").strip("/")
        below = self._entry.namespace.strip("/")
        if below == home or not f"{below}/".startswith(f"{home}/" if home else ""):
            return self._client, ""
        return self._at(home), below[len(home) :].strip("/") + "/"

    def write(self, values: Mapping[str, str]) -> None:
        """Make `values` the newest version of the entry, in place of whatever it holds. Raises VaultError."""
        try:
            self._client.secrets.kv.v2.create_or_update_secret(
                path=self._entry.path, secret=dict(values), mount_point=self._entry.mount
            )
        except (hvac.exceptions.VaultError, requests.RequestException) as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> VaultError:
        match error:
            case requests.exceptions.SSLError():
                said = "its certificate is not of a known CA; set `fleet:vault.caFile` to the CA's"
            case requests.Timeout():
                said = f"no answer within {TIMEOUT_SECONDS} s"
            case requests.ConnectionError():
                return VaultError(f"Vault at {self._address} can't be reached")
            case _:
                said = " ".join(str(error).split())[:300]
        return VaultError(f"Vault at {self._address}: {said}")
