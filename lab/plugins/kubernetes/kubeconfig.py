"""From a kubeconfig (content, path or default) to what an HTTP client needs.

Certificates given as data never stay on disk: Python's `ssl` wants a file for the client key, so
it gets one for the length of one call.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(Exception):
    """The kubeconfig can't be used; the text says why, without any of its content."""


@dataclass(frozen=True)
class Access:
    """How to reach one API server."""

    server: str
    namespace: str
    tls: ssl.SSLContext | None
    headers: dict[str, str] = field(repr=False)
    server_name: str | None = None
    proxy: str | None = None


def load(text: str | None, environ: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the kubeconfig in `text` (YAML, JSON or a path), or the default one as kubectl has it.

    Raises `KubeconfigError` where there is none or it can't be read.
    """
    environ = dict(os.environ) if environ is None else environ
    if text:
        return _parse_text(text)
    given = environ.get("KUBECONFIG", "")
    default = Path("~/.kube/config").expanduser()
    paths = [Path(one) for one in given.split(os.pathsep) if one] or [default]
    merged: dict[str, Any] = {}
    for path in paths:
        if path.is_file():
            merged = _merge(merged, _parse(path.read_text(), str(path)), path.parent)
    if merged:
        return merged
    if (_SERVICE_ACCOUNT / "token").is_file():
        return _in_cluster(environ)
    raise KubeconfigError(
        f"no kubeconfig at {', '.join(str(path) for path in paths)}: "
        "give the provider `kubeconfig`, or set KUBECONFIG"
    )


def _parse_text(text: str) -> dict[str, Any]:
    if "\n" not in text and not text.lstrip().startswith("{"):
        path = Path(text).expanduser()
        if path.is_file():
            return _merge({}, _parse(path.read_text(), str(path)), path.parent)
        if ":" not in text or text.endswith((".yaml", ".yml")):
            raise KubeconfigError(f"kubeconfig {text}: no such file")
    return _parse(text, "the provider's `kubeconfig`")


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        content = yaml.load(text, Loader=_LOADER)  # noqa: S506  # a safe one, in C
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise KubeconfigError(f"{where} is no valid YAML{line}") from None
    if not isinstance(content, dict) or not content.get("clusters"):
        raise KubeconfigError(f"{where} names no clusters: is it a kubeconfig?")
    return content


def _merge(base: dict[str, Any], more: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Merge kubeconfigs as kubectl does (the first one wins) and make paths absolute."""
    for kind, keys in (
        ("cluster", ("certificate-authority",)),
        ("user", ("client-certificate", "client-key", "tokenFile")),
    ):
        for entry in more.get(f"{kind}s") or []:
            details = entry.get(kind) or {}
            details.update({key: str(folder / details[key]) for key in keys if details.get(key)})
    merged = {**more, **{key: value for key, value in base.items() if value}}
    for plural in ("clusters", "users", "contexts"):
        known = {entry["name"] for entry in base.get(plural) or []}
        extra = [entry for entry in more.get(plural) or [] if entry["name"] not in known]
        merged[plural] = [*(base.get(plural) or []), *extra]
    return merged


def _in_cluster(environ: dict[str, str]) -> dict[str, Any]:
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    cluster = {
        "server": f"https://{host}:{port}",
        "certificate-authority": str(_SERVICE_ACCOUNT / "ca.crt"),
    }
    namespace = (_SERVICE_ACCOUNT / "namespace").read_text().strip()
    return {
        "clusters": [{"name": "in", "cluster": cluster}],
        "users": [{"name": "in", "user": {"tokenFile": str(_SERVICE_ACCOUNT / "token")}}],
        "contexts": [
            {"name": "in", "context": {"cluster": "in", "user": "in", "namespace": namespace}}
        ],
        "current-context": "in",
    }


def active_cluster(
    config: dict[str, Any], context: str | None, cluster: str | None
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return cluster, user and namespace of the context in force.

    Raises `KubeconfigError` where a name leads nowhere.
    """
    name = context or config.get("current-context")
    chosen = _named(config, "context", name) if name else {}
    if not name and not cluster:
        raise KubeconfigError("the kubeconfig has no current-context: give `context`")
    details = _named(config, "cluster", cluster or chosen.get("cluster"))
    user = _named(config, "user", chosen["user"]) if chosen.get("user") else {}
    return details, user, str(chosen.get("namespace") or "default")


def _named(config: dict[str, Any], kind: str, name: str | None) -> dict[str, Any]:
    entries = {entry.get("name"): entry.get(kind) for entry in config.get(f"{kind}s") or []}
    if name not in entries:
        known = ", ".join(sorted(str(one) for one in entries)) or "none"
        raise KubeconfigError(f"{kind} {name!r} is not in the kubeconfig (it has: {known})")
    return dict(entries[name] or {})


def access(config: dict[str, Any], context: str | None, cluster: str | None) -> Access:
    """Return how to reach the cluster in force, running a credential plugin where one is named.

    Raises `KubeconfigError` where certificates, files or the credential plugin fail.
    """
    details, user, namespace = active_cluster(config, context, cluster)
    server = str(details.get("server") or "")
    if not server:
        raise KubeconfigError("the cluster in the kubeconfig has no `server`")
    if user.get("exec"):
        user = {**user, **_credentials(user["exec"], details)}
    if user.get("auth-provider"):
        raise KubeconfigError("`auth-provider` is gone from Kubernetes: use an exec plugin")
    try:
        tls = _tls(details, user) if server.startswith("https") else None
        headers = _headers(user)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise KubeconfigError(f"certificates or token in the kubeconfig: {error}") from None
    return Access(
        server=server.rstrip("/"),
        namespace=namespace,
        tls=tls,
        headers=headers,
        server_name=details.get("tls-server-name"),
        proxy=details.get("proxy-url"),
    )


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif data := cluster.get("certificate-authority-data"):
        context.load_verify_locations(cadata=base64.b64decode(data).decode())
    elif path := cluster.get("certificate-authority"):
        context.load_verify_locations(cafile=path)
    certificate, key = user.get("client-certificate-data"), user.get("client-key-data")
    if certificate and key:
        # The name is gone before anybody else could guess it, and the mode is 0600 all along.
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(certificate) + b"\n" + base64.b64decode(key))
            file.flush()
            context.load_cert_chain(file.name)
    elif user.get("client-certificate"):
        context.load_cert_chain(user["client-certificate"], user.get("client-key"))
    return context


def _headers(user: dict[str, Any]) -> dict[str, str]:
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = Path(user["tokenFile"]).read_text().strip()
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def _credentials(settings: dict[str, Any], cluster: dict[str, Any]) -> dict[str, Any]:
    """Run the exec plugin and return its answer as kubeconfig keys."""
    # Costs a quarter of a second and 20 MB, so only for those who have such a plugin.
    from kubernetes.config import exec_provider, kube_config

    untyped: Any = exec_provider
    node: Any = kube_config.ConfigNode
    try:
        plugin = untyped.ExecProvider(node("exec", settings), None, node("cluster", cluster))
        status = plugin.run()
    except Exception as error:
        raise KubeconfigError(f"credential plugin {settings.get('command')}: {error}") from None
    found = {"token": status.get("token")}
    for key, answer in (
        ("client-certificate-data", "clientCertificateData"),
        ("client-key-data", "clientKeyData"),
    ):
        if status.get(answer):
            found[key] = base64.b64encode(status[answer].encode()).decode()
    return found
