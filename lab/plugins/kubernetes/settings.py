"""The provider's own options: which there are, their environment variables, when they replace it."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.plugins.kubernetes import kubeconfig
from lab.plugins.kubernetes.diff import Mutability
from lab.plugins.kubernetes.wire import UNKNOWN, Object, has_unknown, plain

_FLAGS = {
    "deleteUnreachable": "PULUMI_K8S_DELETE_UNREACHABLE",
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "enableServerSideApply": "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY",
    "skipUpdateUnreachable": "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}
_TEXTS = ("cluster", "clusterIdentifier", "context", "kubeconfig", "namespace")
_IGNORED = (
    "alwaysRender",
    "enableReplaceCRD",
    "helmReleaseSettings",
    "kubeClientSettings",
    "strictMode",
    "suppressDeprecationWarnings",
    "suppressHelmHookWarnings",
)
_ENGINE = ("version", "pluginDownloadURL", "pluginChecksums")
_UNSUPPORTED = {
    "renderYamlToDirectory": "the lab's kubernetes plugin does not render to files",
}


@dataclass(frozen=True)
class Settings:
    """The options in force; `kubeconfig` stays out of every display."""

    kubeconfig: str | None = field(default=None, repr=False)
    context: str | None = None
    cluster: str | None = None
    namespace: str | None = None
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    patch_force: bool = False
    upsert: bool = False
    mutability: Mutability = field(default_factory=Mutability)
    unknown: bool = False
    """The kubeconfig is not known in this preview: there is no cluster to talk to yet."""


def check(inputs: Object) -> list[tuple[str, str]]:
    """Return what is wrong with the provider's inputs, as (option, reason)."""
    known = {*_FLAGS, *_TEXTS, *_IGNORED, *_ENGINE, *_UNSUPPORTED}
    wrong: list[tuple[str, str]] = []
    for name, value in plain(inputs).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            wrong.append((name, f"unknown option of the kubernetes provider{hint}"))
        elif name in _UNSUPPORTED and value:
            wrong.append((name, _UNSUPPORTED[name]))
        elif name in _FLAGS and value is not UNKNOWN and _flag(value) is None:
            wrong.append((name, "must be true or false"))
    if _flag(plain(inputs).get("enableServerSideApply", True)) is False:
        reason = "the lab's kubernetes plugin knows server-side apply only"
        wrong.append(("enableServerSideApply", reason))
    return wrong


def parse(inputs: Object, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the options in force: the inputs, then the environment, then the defaults."""
    values = plain(inputs)

    def flag(name: str) -> bool:
        given = values.get(name, environ.get(_FLAGS[name], ""))
        return bool(_flag(given))

    def text(name: str) -> str | None:
        value = values.get(name)
        if isinstance(value, dict):  # a kubeconfig may be given as an object
            return json.dumps(value)
        return value if isinstance(value, str) and value else None

    return Settings(
        kubeconfig=text("kubeconfig"),
        context=text("context"),
        cluster=text("cluster"),
        namespace=text("namespace"),
        delete_unreachable=flag("deleteUnreachable"),
        skip_update_unreachable=flag("skipUpdateUnreachable"),
        patch_force=flag("enablePatchForce"),
        upsert=flag("upsertExistingObjects"),
        mutability=Mutability(flag("enableConfigMapMutable"), flag("enableSecretMutable")),
        unknown=any(has_unknown(values.get(n)) for n in ("kubeconfig", "context", "cluster")),
    )


def replacing(old: Object, new: Object) -> list[str]:
    """Return the changed options that mean another cluster, so that all its objects are replaced.

    `clusterIdentifier` decides alone where it is set; without it, the cluster that the kubeconfig's
    context leads to does.
    """
    before, after = plain(old), plain(new)
    identifiers = before.get("clusterIdentifier"), after.get("clusterIdentifier")
    if all(identifiers):
        return ["clusterIdentifier"] if identifiers[0] != identifiers[1] else []
    if identifiers[1] and not identifiers[0] and _server(before) == _server(after):
        return []
    if _server(before) != _server(after):
        names = [n for n in ("kubeconfig", "context", "cluster") if before.get(n) != after.get(n)]
        return names or ["clusterIdentifier"]
    return []


def _server(values: Object) -> Any:
    """Return what tells one cluster from another, the whole kubeconfig where it can't be read."""
    given = parse(values)
    if given.unknown:
        return UNKNOWN
    try:
        config = kubeconfig.load(given.kubeconfig)
        return kubeconfig.active_cluster(config, given.context, given.cluster)[0].get("server")
    except kubeconfig.KubeconfigError:
        return given.kubeconfig


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False, "": False}.get(
        str(value).strip().lower()
    )
