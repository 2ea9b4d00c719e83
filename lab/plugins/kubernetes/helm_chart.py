"""`helm.sh/v4:Chart`: rendering with the `helm` on PATH, as the official plugin renders inside.

CRDs are included, hooks are not, and the chart sees the versions and kinds of the real cluster.
Values go in by standard input, never on a command line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from lab.plugins.kubernetes import manifest
from lab.plugins.kubernetes.cluster import ApiError, Unreachable
from lab.plugins.kubernetes.placing import with_namespaces
from lab.plugins.kubernetes.session import Session
from lab.plugins.kubernetes.wire import Object, plain, secret_texts

_SECONDS = 300
_UNSUPPORTED = ("keyring", "postRenderer", "verify")


def render(session: Session, name: str, inputs: Object) -> list[Object]:
    """Return the objects of a chart, each with its namespace; raises `ManifestError`."""
    values = plain(inputs)
    helm = shutil.which("helm")
    if helm is None:
        raise manifest.ManifestError("helm is not on PATH: the lab's kubernetes plugin needs it")
    for option in _UNSUPPORTED:
        if values.get(option):
            raise manifest.ManifestError(f"{option}: not supported by the lab's kubernetes plugin")
    namespace = values.get("namespace") or session.default_namespace()
    command = [helm, "template", values.get("name") or name, str(values.get("chart"))]
    command += ["--namespace", namespace, "--no-hooks", "--values", "-"]
    command += _options(values, inputs)
    command += _capabilities(session)
    done = subprocess.run(
        command,
        input=json.dumps(values.get("values") or {}),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise manifest.ManifestError(" ".join(done.stderr.split()) or "helm template failed")
    found = manifest.flatten(manifest.parse(done.stdout, f"chart {values.get('chart')}"))
    hidden = {one for one in secret_texts(inputs.get("values")) if len(one) > 3}
    return [manifest.hide(obj, hidden) for obj in with_namespaces(session, found, namespace)]


def _options(values: Object, inputs: Object) -> list[str]:
    options: list[str] = []
    if not values.get("skipCrds"):
        options.append("--include-crds")
    for key, flag in (("version", "--version"),):
        if values.get(key):
            options += [flag, str(values[key])]
    for key, flag in (("devel", "--devel"), ("dependencyUpdate", "--dependency-update")):
        if values.get(key):
            options.append(flag)
    repository = values.get("repositoryOpts") or {}
    for key, flag in (("repo", "--repo"), ("caFile", "--ca-file")):
        if isinstance(repository.get(key), str):
            options += [flag, repository[key]]
    if repository.get("username"):
        message = "repositoryOpts with a password: log helm in to the registry instead"
        raise manifest.ManifestError(message)
    for asset in inputs.get("valueYamlFiles") or []:
        options += ["--values", _file(plain(asset))]
    return options


def _file(asset: Any) -> str:
    if isinstance(asset, dict) and isinstance(asset.get("path"), str):
        return str(asset["path"])
    raise manifest.ManifestError(
        "valueYamlFiles: the lab's kubernetes plugin takes FileAssets only"
    )


def _capabilities(session: Session) -> list[str]:
    """Return what `.Capabilities` shall be, nothing where no cluster answers."""
    try:
        cluster = session.cluster()
        version = str(cluster.probe().get("gitVersion") or "")
        found = cluster.api_versions()
    except (ApiError, Unreachable):
        return []
    options = ["--kube-version", version] if version else []
    return options + [part for one in found for part in ("--api-versions", one)]
