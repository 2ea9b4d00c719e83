"""Requests to Vault, by namespace, with errors that say what to do."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
import urllib3
from hvac.adapters import JSONAdapter
from hvac.exceptions import Forbidden, InvalidPath, VaultDown, VaultError
from requests.adapters import HTTPAdapter

from lab.plugins.serve import ProviderError, one_line
from lab.plugins.vault.schema import trim
from lab.plugins.vault.settings import Settings

_TIMEOUT_SECONDS = 60.0
_RETRY_PAUSE_SECONDS = 0.5
_CONNECTIONS = 64


class Refused(ProviderError):
    """Vault answered with an error; `messages` is what it said."""

    def __init__(self, text: str, messages: list[str]) -> None:
        super().__init__(text)
        self.messages = messages


class Connection:
    """A lazily opened connection: like the official plugin, silent until there is work to do.

    The token is then exchanged for a short-lived child, as the official plugin does by default, so
    that leases end with it. Safe for use from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._token = ""
        self._namespace = settings.namespace

    def at(self, namespace: str) -> Vault:
        """Return Vault as seen from `namespace`, relative to the provider's own."""
        with self._lock:
            if self._session is None:
                self._session = self._open()
            parts = [part for part in (self._namespace, trim(namespace)) if part]
            return Vault(self._session, self._settings, "/".join(parts), self._token)

    def _open(self) -> requests.Session:
        settings = self._settings
        if not settings.address:
            raise ProviderError('no Vault address: set VAULT_ADDR or the provider\'s "address"')
        if not settings.token:
            raise ProviderError("no vault token set: set VAULT_TOKEN or log in with `bao login`")
        session = requests.Session()
        session.verify = settings.verify
        if not settings.verify:
            urllib3.disable_warnings()  # the user asked for it; stderr is Pulumi's screen
        session.trust_env = False  # else REQUESTS_CA_BUNDLE would win over `verify`
        session.proxies = requests.utils.get_environ_proxies(settings.address)
        session.mount("https://", HTTPAdapter(_CONNECTIONS, _CONNECTIONS))
        session.mount("http://", HTTPAdapter(_CONNECTIONS, _CONNECTIONS))
        bare = Vault(session, settings, settings.lookup_namespace, settings.token)
        found = bare.read("auth/token/lookup-self") or {}
        home = trim(found.get("namespace_path"))
        self._token = settings.token
        if settings.child_token:
            self._token = self._child(Vault(session, settings, home, settings.token))
        # What is given counts; only without it everything is below the token's own namespace.
        self._namespace = settings.namespace or home
        return session

    def _child(self, vault: Vault) -> str:
        """Return a child of the token, with its policies and a life of its own."""
        ttl = f"{self._settings.child_token_ttl}s"
        answer = vault.request(
            "post",
            "auth/token/create",
            {
                "display_name": self._settings.display_name,
                "ttl": ttl,
                "explicit_max_ttl": ttl,
                "renewable": False,
            },
        )
        return str(answer["auth"]["client_token"])


@dataclass(frozen=True)
class Vault:
    """Vault as seen from one namespace ("" is the root)."""

    session: requests.Session
    settings: Settings
    namespace: str
    token: str

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the `data` of what is at `path`, or None where nothing is."""
        try:
            answer = self.request("get", path)
        except Refused as error:
            if isinstance(error.__cause__, InvalidPath):
                return None
            raise
        data = answer.get("data")
        return data if isinstance(data, dict) else answer

    def write(self, path: str, body: dict[str, Any], *, method: str = "post") -> None:
        """Write `body` to `path`."""
        self.request(method, path, body)

    def delete(self, path: str) -> None:
        """Delete what is at `path`; gone already is fine."""
        try:
            self.request("delete", path)
        except Refused as error:
            if not isinstance(error.__cause__, InvalidPath):
                raise

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send one request and return the JSON answer ({} where there is none).

        Retries as the official plugin does: while Vault can't be reached or is failing, at most
        `max_retries` times. Raises `Refused` or another `ProviderError`.
        """
        adapter = JSONAdapter(
            base_uri=self.settings.address,
            token=self.token,
            namespace=self.namespace or None,
            session=self.session,
            timeout=_TIMEOUT_SECONDS,
            verify=self.settings.verify,
        )
        headers = {"Content-Type": "application/merge-patch+json"} if method == "patch" else {}
        tries = self.settings.max_retries + 1
        for left in reversed(range(tries)):
            try:
                answer = adapter.request(method, f"/v1/{quote(path)}", json=body, headers=headers)
                return answer if isinstance(answer, dict) else {}
            except VaultError as error:
                if left and isinstance(error, VaultDown) and "sealed" not in str(error).lower():
                    time.sleep(_RETRY_PAUSE_SECONDS)
                    continue
                raise self._refused(error, method, path) from error
            except requests.exceptions.SSLError as error:
                raise ProviderError(
                    f"the certificate of Vault at {self.settings.address} is not trusted "
                    f"({_root_cause(error)}); check VAULT_CACERT or caCertFile"
                ) from error
            except (requests.exceptions.RequestException, OSError) as error:
                if left:
                    time.sleep(_RETRY_PAUSE_SECONDS)
                    continue
                raise ProviderError(
                    f"Vault at {self.settings.address} cannot be reached ({_root_cause(error)}); "
                    'check that it runs, and VAULT_ADDR or the provider\'s "address"'
                ) from error
        raise AssertionError("the loop returns or raises")

    def _refused(self, error: VaultError, method: str, path: str) -> Refused:
        address = self.settings.address
        messages = [one_line(text) for text in (error.errors or [error.text or str(error)])]
        said = "; ".join(messages) or type(error).__name__
        where = f"{method.upper()} {path}" + (
            f" in namespace {self.namespace}" if self.namespace else ""
        )
        if isinstance(error, VaultDown) and "sealed" in said.lower():
            text = (
                f"Vault at {address} is sealed: unseal it (`bao operator unseal`), then try again"
            )
        elif isinstance(error, Forbidden):
            text = (
                f"Vault refuses {where}: {said}; the token is wrong, has expired, "
                "or lacks a policy for this"
            )
        else:
            text = f"Vault refuses {where}: {said}"
        return Refused(text, messages)


def _root_cause(error: BaseException) -> str:
    """Return the innermost reason of a failed request, without URLs and object addresses."""
    inner: Any = error
    while True:
        following = getattr(inner, "reason", None)
        if not isinstance(following, BaseException):
            first = inner.args[0] if getattr(inner, "args", ()) else None
            following = first if isinstance(first, BaseException) else inner.__cause__
        if not isinstance(following, BaseException) or following is inner:
            break
        inner = following
    text = one_line(getattr(inner, "strerror", None) or inner).rpartition(">: ")[2]
    return re.sub(r"\[SSL: \w+\] | \(_ssl\.c:\d+\)", "", text)
