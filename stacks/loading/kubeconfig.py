"""Kubeconfig contexts: what only the machine knows about a cluster.

Read here rather than by a client library because Pulumi needs a context as a text of its own, with
every file that it points to put inside, and the official client only offers live connections. Files are merged and
paths taken as client-go does it; tests/real holds that against kubectl.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stacks.loading.contexts import pem_problem
from stacks.loading.document import DocumentError, read
from stacks.loading.yaml_speed import DUMPER
from stacks.model.access import ClusterAccess

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Keys of a kubeconfig that name a file."""
# …and for most, the key that holds the same content inline.
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
    "namespace",
    "user",
    "token",
    "tokenFile",
    "tls-server-name",
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
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The file that each `<kind> <name>` is from."""
    lost: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The later file that has another `<kind> <name>`, which therefore counts for nothing."""

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Kubeconfig:
        """Read the files that `KUBECONFIG` lists, else `~/.kube/config`; a file that isn't there counts as empty.

        Raises KubeconfigError where a file is no kubeconfig, or none is there.
        """
        environ = os.environ if environ is None else environ
        given = environ.get("KUBECONFIG", "")
        source = given or str(Path.home() / ".kube" / "config")
        names = list(dict.fromkeys(name for name in source.split(os.pathsep) if name))
        documents = {name: _document(Path(name)) for name in names}
        if all(document is None for document in documents.values()):
            raise KubeconfigError(
                f"KUBECONFIG names {source}, and there is no such file"
                if given
                else f"KUBECONFIG is not set, and there is no {source}; set it to your kubeconfig"
            )
        found: dict[str, dict[str, Mapping[str, Any]]] = {
            "contexts": {},
            "clusters": {},
            "users": {},
        }
        origins: dict[str, str] = {}
        lost: dict[str, str] = {}
        for name, document in documents.items():
            for section, entries in found.items():
                kind = section.removesuffix("s")
                for entry, body in _entries(name, (document or {}).get(section), kind):
                    placed = _beside(Path(name), body)
                    if entries.setdefault(entry, placed) != placed:
                        lost.setdefault(f"{kind} {entry}", name)
                    origins.setdefault(f"{kind} {entry}", name)
        return cls(source, **found, origins=origins, lost=lost)

    @classmethod
    def of(cls, text: str) -> Kubeconfig:
        """The contexts of the kubeconfig `text`, as `ClusterAccess` has one."""
        document = read(text, kubernetes=True)
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
        # By its file, where it has one: its owner may renew it while a run lasts.
        named = {
            key: value for key, value in user.items() if key != "token" or "tokenFile" not in user
        }
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
                "users": [{"name": context, "user": named}],
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
        cluster = _inline(self.clusters.get(self.contexts[context].get("cluster") or "", {}))
        if not cluster.get("server"):
            raise KubeconfigError(
                f'context "{context}" in {self.source} names no cluster with a server'
            )
        ca = cluster.get("certificate-authority-data") or ""
        try:
            base64.b64decode(ca).decode()
        except ValueError:
            raise KubeconfigError(
                f'context "{context}" in {self.source} has a certificate-authority-data that '
                f"{pem_problem(ca, 'CERTIFICATE')}"
            ) from None
        return cluster

    def user(self, context: str) -> dict[str, Any]:
        """The user of `context`, with the files that it points to put inside: secret.

        Raises KubeconfigError where there is no such context or user, or a file can't be read.
        """
        if context not in self.contexts:
            raise KubeconfigError(f'no context "{context}" in {self.source}')
        name = self.contexts[context].get("user") or ""
        if name not in self.users:
            raise KubeconfigError(
                f'context "{context}" in {self.source} names no user that is there'
            )
        return _inline(self.users[name])

    def mixed_up(self, context: str) -> str:
        """Which of a context's cluster and user is another file's than the one that it was written with, in words.

        Tools such as k3s and kubeadm name every cluster and user alike, so that the first file hides the others'.
        """
        for kind in ("cluster", "user"):
            name = self.contexts[context].get(kind) or ""
            entry = f"{kind} {name}"
            own = self.origins.get(f"context {context}")
            if self.origins.get(entry) != own and self.lost.get(entry) is not None:
                return (
                    f'{kind} "{name}" is in {self.origins[entry]} and, another one, in {self.lost[entry]}, and the '
                    f"first counts; give it a name of its own in {own}"
                )
        return ""


def server_of(cluster: Mapping[str, Any]) -> str:
    """The address of a kubeconfig's cluster, trimmed as Argo CD trims it."""
    return str(cluster["server"]).strip().rstrip("/")


def _document(path: Path) -> Mapping[str, Any] | None:
    """The file at `path`, None where there is none."""
    try:
        document = read(path.read_text(), kubernetes=True)
    except FileNotFoundError:
        return None
    except DocumentError as error:
        where = f", line {error.line}" if error.line else ""
        raise KubeconfigError(f"{path} can't be read as a kubeconfig{where}: {error}") from None
    except OSError as error:
        raise KubeconfigError(f"{path} can't be read: {error.strerror}") from None
    except ValueError:
        raise KubeconfigError(f"{path} can't be read as a kubeconfig: it is no text") from None
    if not isinstance(document, dict | None):
        raise KubeconfigError(f"{path} is no kubeconfig")
    return document or {}


def _entries(path: str, entries: Any, kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if entries is None:
        return
    if not isinstance(entries, list):
        raise KubeconfigError(f"{path}: {kind}s is no list")
    seen = set()
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise KubeconfigError(
                f"{path} has a {kind} without a name{'' if name is None else '; put it in quotes'}"
            )
        if name in seen:
            raise KubeconfigError(
                f'{path} has the {kind} "{name}" twice, which kubectl refuses; take one out'
            )
        seen.add(name)
        body = entry.get(kind) or {}
        if not isinstance(body, dict) or not _is_body(body):
            # Not what is there instead: it may be a secret.
            raise KubeconfigError(f'{path}: {kind} "{name}" holds what no {kind} does')
        yield name, body


def _is_body(body: Mapping[str, Any]) -> bool:
    """Whether what Fleet reads of a body has the form that clients take."""
    plugin = body.get("exec")
    return (
        all(isinstance(body.get(word), str | None) for word in _TEXTS)
        and isinstance(body.get("insecure-skip-tls-verify"), bool | None)
        and isinstance(plugin, dict | None)
        and all(
            isinstance((plugin or {}).get(word), str | None)
            for word in ("command", "apiVersion", "interactiveMode")
        )
    )


def _beside(path: Path, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` with what it names by a path made absolute: clients take it from where the kubeconfig itself is."""
    folder = path.parent.absolute()
    placed = {
        key: str(folder / value) if key in _PATHS and value else value
        for key, value in body.items()
    }
    plugin = body.get("exec") or {}
    command = plugin.get("command") or ""
    # One without a folder is looked up on PATH.
    if os.sep in command:
        placed["exec"] = {**plugin, "command": str(folder / command)}
    return placed


def _inline(body: Mapping[str, Any]) -> dict[str, Any]:
    inlined = {key: value for key, value in body.items() if key not in _FILES}
    for key, data_key in _FILES.items():
        if body.get(key) and not body.get(data_key):
            inlined[data_key] = base64.b64encode(_content(key, body[key])).decode()
    if body.get("tokenFile"):
        # Clients take it before a `token` beside it.
        inlined["token"] = _content("tokenFile", body["tokenFile"]).decode(errors="replace").strip()
    return inlined


def _content(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise KubeconfigError(f"{key} {path} can't be read: {reason}") from None
