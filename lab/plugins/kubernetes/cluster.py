"""The HTTP client of one API server: requests, errors in words, retries, kinds.

Thread-safe and blocking; the servicer runs it in the providers' own thread pool.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from lab.plugins.kubernetes.kubeconfig import Access
from lab.plugins.kubernetes.wire import Object

_RETRIED = frozenset({429, 500, 502, 503, 504})
_ATTEMPTS = 5
_TIMEOUT = urllib3.Timeout(connect=10, read=120)

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"


class Unreachable(Exception):
    """No answer from the API server; the text says why."""


class NoMatch(Exception):
    """The API server knows no such kind (yet)."""


class ApiError(Exception):
    """The API server refused; the text is its own message."""

    def __init__(self, code: int, status: Object) -> None:
        details = status.get("details") or {}
        super().__init__(str(status.get("message") or status.get("reason") or f"HTTP {code}"))
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.causes: list[Object] = list(details.get("causes") or [])
        self.retry_after = int(details.get("retryAfterSeconds") or 0)


@dataclass(frozen=True, slots=True)
class Kind:
    """Where objects of one kind live on the API server."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of an object, or of the collection without `name`."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.prefix}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Cluster:
    """One API server, with keep-alive connections and a cache of the kinds it serves."""

    def __init__(self, access: Access) -> None:
        self.namespace = access.namespace
        self._server = access.server
        self._headers = {"Accept": "application/json", "User-Agent": "fleet-lab", **access.headers}
        self._pool = _pool(access)
        self._kinds: dict[str, dict[str, Kind]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Any = None,
        content: str = "application/json",
        accept: str | None = None,
        attempts: int = _ATTEMPTS,
    ) -> Object:
        """Return the server's JSON answer.

        Retries what can pass by itself, with back-off. Raises `ApiError` or `Unreachable`.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        url = self._server + path + ("?" + urlencode(query) if query else "")
        headers = {**self._headers, "Content-Type": content}
        if accept:
            headers["Accept"] = accept
        for attempt in range(1, attempts + 1):
            try:
                answer = self._pool.request(
                    method, url, body=data, headers=headers, timeout=_TIMEOUT, retries=False
                )
            except urllib3.exceptions.HTTPError as error:
                # After a POST is sent nobody knows whether it took effect: no second one.
                if attempt == attempts or (method == "POST" and not _never_sent(error)):
                    raise Unreachable(_why(error, self._server)) from None
                _pause(attempt)
                continue
            if answer.status < 400:
                return dict(json.loads(answer.data)) if answer.data else {}
            failure = ApiError(answer.status, _status(answer.data))
            retried = answer.status in _RETRIED and not (method == "POST" and answer.status == 500)
            if attempt == attempts or not retried:
                raise failure
            _pause(attempt, failure.retry_after)
        raise AssertionError("unreachable")

    def probe(self) -> Object:
        """Return the server's version; raises `Unreachable` or `ApiError` at the first failure."""
        return self.request("GET", "/version", attempts=1)

    def kind(self, api_version: str, kind: str) -> Kind:
        """Return where `kind` lives; raises `NoMatch` where the server doesn't serve it."""
        with self._guard:
            lock = self._locks.setdefault(api_version, threading.Lock())
        with lock:
            known = self._kinds.get(api_version)
            if known is None or kind not in known:
                # Kinds appear while the program runs, so only what was found is remembered.
                known = self._kinds[api_version] = self._discover(api_version)
        if kind not in known:
            raise NoMatch(f'no matches for kind "{kind}" in version "{api_version}"')
        return known[kind]

    def _discover(self, api_version: str) -> dict[str, Kind]:
        group = canonical(api_version)
        prefix = f"/apis/{group}" if "/" in group else f"/api/{group}"
        try:
            found = self.request("GET", prefix)
        except ApiError as error:
            if error.code == 404:
                return {}
            raise
        return {
            one["kind"]: Kind(prefix, one["name"], bool(one.get("namespaced")))
            for one in found.get("resources") or []
            if "/" not in one["name"]
        }

    def forget_kinds(self) -> None:
        """Drop the cache, as after a CRD changed."""
        with self._guard:
            self._kinds.clear()

    def api_versions(self) -> list[str]:
        """Return everything served, as `helm template --api-versions` wants it."""
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        found: list[str] = []
        for root in ("/api", "/apis"):
            for group in self.request("GET", root, accept=accept).get("items") or []:
                name = (group.get("metadata") or {}).get("name") or ""
                for version in group.get("versions") or []:
                    full = f"{name}/{version['version']}" if name else version["version"]
                    kinds = [one["responseKind"]["kind"] for one in version.get("resources") or []]
                    found += [full, *(f"{full}/{kind}" for kind in kinds)]
        return found


def canonical(api_version: str) -> str:
    """Return `api_version` with the core group written as the server writes it."""
    return api_version.removeprefix("core/")


def _pool(access: Access) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": 48, "block": False, "ssl_context": access.tls}
    if access.server_name:
        options |= {"server_hostname": access.server_name, "assert_hostname": access.server_name}
    proxy = access.proxy or _environment_proxy(access.server)
    if proxy:
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def _environment_proxy(server: str) -> str | None:
    """Return the proxy that HTTPS_PROXY and NO_PROXY ask for, as Go's clients do."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return None
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _never_sent(error: Exception) -> bool:
    return isinstance(error, urllib3.exceptions.NewConnectionError)


def _why(error: Exception, server: str) -> str:
    reason = getattr(error, "reason", None) or error
    text = str(reason)
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        text = re.sub(r"^\[Errno -?\d+\] ", "", text.rpartition(": ")[2])
    return f"{server}: {text}"


def _status(data: bytes) -> Object:
    try:
        status = json.loads(data)
    except ValueError:
        return {"message": " ".join(data.decode(errors="replace").split())[:200]}
    return status if isinstance(status, dict) else {}


def _pause(attempt: int, at_least: float = 0) -> None:
    spread = random.uniform(0.8, 1.2)  # noqa: S311  # spreads retries, guards nothing
    time.sleep(max(at_least, 0.1 * 2**attempt) * spread)
