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

from stacks.loading.yaml_speed import DUMPER, LOADER
from stacks.model.access import ClusterAccess

# Keys of a kubeconfig that name a file, and the key that holds the same content inline.
_FILES = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}
# Keys that Fleet reads, each of which holds a text.
_TEXTS = (
    *_FILES,
    *_FILES.values(),
    "server",
    "proxy-url",
    "cluster",
    "user",
    "token",
    "username",
    "password",
)


class KubeconfigError(Exception):
    """A kubeconfig that can't be used; the message names the file or context and what is wrong with it."""


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
                for name, body in _entries(path, document.get(section) or [], key):
                    entries.setdefault(name, _beside(path, body))
        return cls(source, **found)

    @classmethod
    def of(cls, text: str) -> Kubeconfig:
        """The contexts of the kubeconfig `text`, as `ClusterAccess` has one."""
        document = yaml.load(text, Loader=LOADER)  # noqa: S506 - LOADER is a safe one
        found = {
            section: {one["name"]: one[section.removesuffix("s")] for one in document[section]}
            for section in ("contexts", "clusters", "users")
        }
        return cls("its kubeconfig", **found)

    def access(self, context: str) -> ClusterAccess:
        """How to reach the cluster of `context`.

        Raises KubeconfigError where there is no such context, it names no server, its CA is no text in base64, or a
        file it points to can't be read.
        """
        cluster, user = self.cluster(context), self.user(context)
        text = yaml.dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": context,
                "contexts": [
                    {
                        "name": context,
                        "context": {**self.contexts[context], "cluster": context, "user": context},
                    }
                ],
                "clusters": [{"name": context, "cluster": cluster}],
                "users": [{"name": context, "user": user}],
            },
            Dumper=DUMPER,
        )
        return ClusterAccess(
            context,
            server_of(cluster),
            cluster.get("certificate-authority-data") or "",
            text,
            user,
            (cluster.get("proxy-url") or "").strip(),
        )

    def cluster(self, context: str) -> dict[str, Any]:
        """The cluster of `context`, with its CA put inside; it has a server.

        Raises KubeconfigError as `access` does.
        """
        if context not in self.contexts:
            raise KubeconfigError(f'no context "{context}" in {self.source}')
        cluster = _inline(self.clusters.get(self.contexts[context].get("cluster", ""), {}))
        if not cluster.get("server"):
            raise KubeconfigError(
                f'context "{context}" in {self.source} names no cluster with a server'
            )
        try:
            base64.b64decode(cluster.get("certificate-authority-data") or "").decode()
        except ValueError:
            raise KubeconfigError(
                f'context "{context}" in {self.source} has a certificate-authority-data that is no base64 of PEM'
            ) from None
        return cluster

    def user(self, context: str) -> dict[str, Any]:
        """The user of `context`, with the files that it points to put inside: secret.

        Raises KubeconfigError where there is no such context, or a file can't be read.
        """
        if context not in self.contexts:
            raise KubeconfigError(f'no context "{context}" in {self.source}')
        return _inline(self.users.get(self.contexts[context].get("user", ""), {}))


def server_of(cluster: Mapping[str, Any]) -> str:
    """The address of a kubeconfig's cluster, trimmed as Argo CD trims it."""
    return str(cluster["server"]).strip().rstrip("/")


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.load(path.read_text(), Loader=LOADER) or {}  # noqa: S506 - LOADER is a safe one
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


def _entries(path: Path, entries: Any, key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if not isinstance(entries, list):
        raise KubeconfigError(f"{path}: {key}s is no list")
    for entry in entries:
        if not isinstance(entry, dict) or "name" not in entry:
            raise KubeconfigError(f"{path} has a {key} without a name")
        body = entry.get(key) or {}
        if not isinstance(body, dict) or not all(
            isinstance(body.get(word), str | None) for word in _TEXTS
        ):
            # Not what is there instead: it may be a secret.
            raise KubeconfigError(f'{path}: {key} "{entry["name"]}" holds what no {key} does')
        yield str(entry["name"]), body


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
