"""What keeps a kubeconfig's context from serving: servers, CAs, users that no client could use, or only this machine.

Pure: what `Kubeconfig` has read, looked at. No message quotes a credential.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from stacks.model.fields import server_problem

# What `kubectl config view` shows in the place of a secret or certificate.
_REDACTED = {"REDACTED", "DATA+OMITTED"}
_RAW = "was written by `kubectl config view`, which leaves secrets out; write it with `--raw`"
_DER_SEQUENCE = 0x30
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
# https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

Body = Mapping[str, Any]


def cluster_problems(cluster: Body) -> Iterator[str]:
    """What is wrong with a context's cluster, whose CA is inside, to whoever wants to reach it."""
    if server := server_problem(cluster.get("server") or ""):
        yield f"its server {server}"
    ca = cluster.get("certificate-authority-data") or ""
    if ca and cluster.get("insecure-skip-tls-verify"):
        yield "it has a CA and `insecure-skip-tls-verify`, which clients refuse; take one out"
    elif ca and (said := pem_problem(ca, "CERTIFICATE")):
        yield f"its certificate-authority-data {said}"


def pem_problem(data: str, wanted: str) -> str:
    """What is wrong with a kubeconfig's `…-data`, base64 of PEM blocks of the kind `wanted`; empty where nothing is."""
    if data.strip() in _REDACTED:
        return _RAW
    try:
        plain = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        begins = data.lstrip().startswith("-----BEGIN")
        return "is PEM as it is; encode it in base64" if begins else "is no base64 of PEM"
    if plain.startswith(b"LS0tLS1CRUdJTi"):
        return "is in base64 twice; decode it once"
    if plain[:1] == bytes([_DER_SEQUENCE]) and b"-----BEGIN" not in plain:
        return "is DER; make PEM of it: `openssl x509 -inform der -in <file>`"
    kinds = [kind.decode() for kind in _PEM.findall(plain)]
    if not any(wanted in kind for kind in kinds):
        found = f", but {', '.join(sorted({kind.lower() for kind in kinds}))}" if kinds else ""
        return f"holds no {wanted.lower()} in PEM{found}"
    if wanted == "CERTIFICATE":
        if any("PRIVATE KEY" in kind for kind in kinds):
            return "holds a private key beside it; take that out"
        return "" if _certificates(plain) else "holds a certificate that can't be read"
    return ""


def user_problems(user: Body, now: datetime | None = None) -> Iterator[str]:
    """What is wrong with a context's user, whose files are inside, to whoever wants to log in with it."""
    for word in ("token", "password"):
        if str(user.get(word) or "").strip() in _REDACTED:
            yield f"its {word} {_RAW}"
    if "auth-provider" in user:
        yield (
            "its user has an `auth-provider`, which clients have dropped since Kubernetes 1.26; write an `exec` "
            "plugin, such as gke-gcloud-auth-plugin or kubelogin"
        )
    if isinstance(plugin := user.get("exec"), Mapping):
        yield from _plugin_problems(plugin)
    certificate, key = user.get("client-certificate-data"), user.get("client-key-data")
    if certificate and key:
        yield from _pair_problems(certificate, key, now or datetime.now(UTC))
    elif (certificate or key) and not user.get("token"):
        yield (
            f"its user has a client {'certificate without its key' if certificate else 'key without its certificate'}"
        )


def _plugin_problems(plugin: Body) -> Iterator[str]:
    version = plugin.get("apiVersion")
    if version not in _EXEC_VERSIONS:
        said = f'"{version}"' if version else "missing"
        yield (
            f"its `exec` has an apiVersion that is {said}, and clients know {' and '.join(_EXEC_VERSIONS)}; make the "
            "kubeconfig anew with the plugin's own tool"
        )
    if not plugin.get("command"):
        yield "its `exec` names no command"
    if plugin.get("interactiveMode") == "Always":
        yield "its `exec` asks for a terminal (`interactiveMode: Always`), and Pulumi gives it none"
    elif version == _EXEC_VERSIONS[0] and not plugin.get("interactiveMode"):
        yield f"its `exec` lacks `interactiveMode`, which {version} asks for; write `Never`"


def _pair_problems(certificate: str, key: str, now: datetime) -> Iterator[str]:
    if said := pem_problem(certificate, "CERTIFICATE"):
        yield f"its client-certificate-data {said}"
    elif said := pem_problem(key, "PRIVATE KEY"):
        yield f"its client-key-data {said}"
    else:
        (first, *_) = _certificates(base64.b64decode(certificate))
        if first.not_valid_after_utc < now:
            yield f"its client certificate has expired, on {first.not_valid_after_utc:%Y-%m-%d}; renew it"
        elif first.not_valid_before_utc > now:
            yield f"its client certificate is good only from {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        elif not _belongs(base64.b64decode(key), first):
            yield "its client key is not that of its client certificate"


def _certificates(pem: bytes) -> list[Any]:
    """The certificates in a PEM text, as `cryptography` has them; none where any can't be read."""
    from cryptography import x509  # 0.1 s: not for those who have none

    try:
        return list(x509.load_pem_x509_certificates(pem))
    except ValueError:
        return []


def _belongs(key: bytes, certificate: Any) -> bool:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        own = load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError):
        return False
    return bool(own == certificate.public_key())
