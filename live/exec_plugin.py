"""Credential plugins of a kubeconfig (`exec`): each run once for all who log in by it, and not for ever.

Not by the official client's own runner: that knows no timeout, and where a plugin fails it goes on as nobody.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

SECONDS = 60.0
"""How long a plugin may take; one that waits for a browser or a code takes for ever."""
_SKEW = timedelta(minutes=1)
_CONFIG = "client.authentication.k8s.io/exec"
"""The cluster's extension that is meant for plugins."""
_PAIR = ("clientCertificateData", "clientKeyData")


class PluginError(Exception):
    """A plugin gave no credential; the message is one line for the user, with the plugin's own last word."""


@dataclass(frozen=True)
class Credential:
    """What a plugin gave: a bearer token, a client certificate with its key (PEM), or both; empty what it didn't."""

    token: str = field(repr=False)
    certificate: str = field(repr=False)
    key: str = field(repr=False)
    expires: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is about to."""
        return self.expires is not None and datetime.now(UTC) >= self.expires - _SKEW


class _Once:
    """One plugin with its arguments, and what it gave."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.credential: Credential | None = None


_known: dict[str, _Once] = {}
_finding = threading.Lock()


def credential(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> Credential:
    """The credential for `cluster` by its user's `exec`, both as the kubeconfig has them.

    The plugin runs once, until what it gave is over; the plugins of other users run meanwhile. Raises PluginError.
    """
    told = _told(cluster) if plugin.get("provideClusterInfo") else None
    asked = json.dumps([plugin, told], sort_keys=True, default=str)
    with _finding:
        one = _known.setdefault(asked, _Once())
    with one.lock:
        if one.credential is None or one.credential.is_over:
            one.credential = _run(plugin, told)
        return one.credential


def _run(plugin: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> Credential:
    command, version = str(plugin.get("command") or ""), str(plugin.get("apiVersion") or "")
    mode = plugin.get("interactiveMode")
    asks = mode != "Never" and sys.stdin.isatty() and sys.stderr.isatty()
    if mode == "Always" and not asks:
        raise PluginError(f"its plugin {command} wants a terminal, and there is none")
    spec = {"interactive": asks, **({"cluster": cluster} if cluster else {})}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    try:
        arguments = [command, *map(str, plugin.get("args") or ())]
        own = {str(one["name"]): str(one["value"]) for one in plugin.get("env") or ()}
    except (TypeError, KeyError):
        raise PluginError(
            f"its plugin {command} has `args` or an `env` of another form than a list of texts, or of names and values"
        ) from None
    try:
        done = subprocess.run(
            arguments,
            env={**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=None if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if asks else subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PluginError(
            f"its plugin {command} gave no credential within {SECONDS:.0f} s; does it wait for a login?"
        ) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no such command"
        hint = plugin.get("installHint")
        raise PluginError(
            f"its plugin {command} can't be run: {said}{f'; {hint}' if hint else ''}"
        ) from None
    if done.returncode:
        words = (done.stderr or b"").decode(errors="replace").strip().splitlines()[-1:]
        # A terminal takes some for commands.
        said = "".join(f": {word[:300]}" for word in words)
        said = "".join(sign for sign in said if sign.isprintable())
        raise PluginError(f"its plugin {command} ended with {done.returncode}{said}")
    return _given(command, version, done.stdout)


def _given(command: str, version: str, answer: bytes) -> Credential:
    """The plugin's answer, of which nothing may be quoted: it holds the credential."""
    odd = PluginError(f"its plugin {command} answered with no credential of {version}")
    try:
        found = json.loads(answer)
        status = found["status"]
        if found["apiVersion"] != version or not isinstance(status, dict):
            raise odd
        texts = [status.get(key) or "" for key in ("token", *_PAIR)]
        ends = status.get("expirationTimestamp")
        expires = datetime.fromisoformat(ends) if ends else None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise odd from None
    token, certificate, key = texts
    if not all(isinstance(one, str) for one in texts) or not (token or (certificate and key)):
        raise odd
    if expires and not expires.tzinfo:
        raise odd
    return Credential(token, certificate, key, expires)


def _told(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """What a plugin with `provideClusterInfo` learns of the cluster."""
    told = {
        key: value
        for key, value in cluster.items()
        if key not in ("extensions", "certificate-authority")
    }
    for one in cluster.get("extensions") or ():
        if isinstance(one, Mapping) and one.get("name") == _CONFIG:
            told["config"] = one.get("extension")
    return told
