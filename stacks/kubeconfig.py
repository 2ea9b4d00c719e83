"""Kubeconfig contexts: what only the machine knows about a cluster.

Read here rather than by a client library because Pulumi needs a context as a text of its own, with
every file that it points to put inside, and the official client only offers live connections.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# Keys of a kubeconfig that name a file, and the key that holds the same content inline.
_FILES = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}


class KubeconfigError(Exception):
    """A kubeconfig that can't be used; the message names the file or context and what is wrong with it."""


@dataclass(frozen=True)
class ClusterAccess:
    """How this machine reaches one cluster.

    `server` is the API server's address without a trailing slash; `ca_data` is its CA as base64 of PEM, empty where the
    machine's own CAs vouch for it; `kubeconfig` is a whole kubeconfig of just this context, and secret.
    """

    context: str
    server: str
    ca_data: str
    kubeconfig: str = field(repr=False)

    @property
    def ca_pem(self) -> str:
        """The CA as PEM text, empty where the machine's own CAs vouch for the server."""
        return base64.b64decode(self.ca_data).decode()


@dataclass(frozen=True)
class Kubeconfig:
    """The contexts of all kubeconfig files, the first file to name one winning, as kubectl has it."""

    source: str
    contexts: Mapping[str, Mapping[str, Any]]
    clusters: Mapping[str, Mapping[str, Any]] = field(repr=False)
    users: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Kubeconfig:
        """Read the files that `KUBECONFIG` lists, else `~/.kube/config`; a file that isn't there counts as empty.

        Raises KubeconfigError where a file is no kubeconfig.
        """
        environ = os.environ if environ is None else environ
        source = environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        found: dict[str, dict[str, Mapping[str, Any]]] = {
            "contexts": {},
            "clusters": {},
            "users": {},
        }
        for path in (Path(name).expanduser() for name in source.split(os.pathsep) if name):
            document = _document(path)
            for section, entries in found.items():
                key = section.removesuffix("s")
                for name, body in _entries(path, document.get(section) or (), key):
                    entries.setdefault(name, _beside(path, body))
        return cls(source, **found)

    def access(self, context: str) -> ClusterAccess:
        """How to reach the cluster of `context`.

        Raises KubeconfigError where there is no such context, or it names no server.
        """
        if context not in self.contexts:
            raise KubeconfigError(f'no context "{context}" in {self.source}')
        body = self.contexts[context]
        cluster = _inline(self.clusters.get(body.get("cluster", ""), {}))
        user = _inline(self.users.get(body.get("user", ""), {}))
        if not cluster.get("server"):
            raise KubeconfigError(
                f'context "{context}" in {self.source} names no cluster with a server'
            )
        text = yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": context,
                "contexts": [
                    {"name": context, "context": {**body, "cluster": context, "user": context}}
                ],
                "clusters": [{"name": context, "cluster": cluster}],
                "users": [{"name": context, "user": user}],
            }
        )
        return ClusterAccess(
            context,
            cluster["server"].rstrip("/"),
            cluster.get("certificate-authority-data", ""),
            text,
        )


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # The parser's own message quotes the line it stopped at, which may hold a token.
        raise KubeconfigError(
            f"{path} can't be read as a kubeconfig ({type(error).__name__})"
        ) from None
    if not isinstance(document, dict):
        raise KubeconfigError(f"{path} is no kubeconfig")
    return document


def _entries(
    path: Path, entries: Iterable[Any], key: str
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for entry in entries:
        if not isinstance(entry, dict) or "name" not in entry:
            raise KubeconfigError(f"{path} has a {key} without a name")
        yield str(entry["name"]), entry.get(key) or {}


def _beside(path: Path, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` with the files that it names made absolute: kubectl reads them relative to the kubeconfig itself."""
    return {
        key: str(path.parent / Path(value).expanduser()) if key in _FILES and value else value
        for key, value in body.items()
    }


def _inline(body: Mapping[str, Any]) -> dict[str, Any]:
    inlined = {key: value for key, value in body.items() if key not in _FILES}
    for key, data_key in _FILES.items():
        if body.get(key) and not body.get(data_key):
            try:
                inlined[data_key] = base64.b64encode(Path(body[key]).read_bytes()).decode()
            except OSError as error:
                raise KubeconfigError(
                    f"{key} {body[key]} can't be read: {error.strerror}"
                ) from None
    return inlined
