from __future__ import annotations

import base64
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stacks.loading.kubeconfig import Kubeconfig


@pytest.fixture
def kubeconfig(certificate: Path) -> Kubeconfig:
    """A context for each cluster on a port of its own; those named `by-…` have another user than the rest."""
    both = certificate.read_bytes()
    place = both.index(b"-----BEGIN PRIVATE KEY-----")
    ca, key = both[:place], both[place:]
    users: dict[str, dict[str, object]] = {
        "admin": {"token": "canary-token"},
        "by-certificate": {
            "client-certificate-data": base64.b64encode(ca).decode(),
            "client-key-data": base64.b64encode(key).decode(),
        },
        "by-password": {"username": "argocd", "password": "canary-password"},
        "by-name": {"username": "argocd"},
        "by-exec": {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "canary-login",
            }
        },
    }
    names = ["hub", "prod-us-east-1", "staging", "spare", *list(users)[1:]]
    return Kubeconfig(
        "kubeconfig-of-the-test",
        contexts={
            name: {"cluster": name, "user": name if name in users else "admin"} for name in names
        },
        clusters={
            name: {
                "server": f"https://127.0.0.1:{7001 + index}",
                "certificate-authority-data": base64.b64encode(ca).decode(),
            }
            for index, name in enumerate(names)
        },
        users=users,
    )


@pytest.fixture(scope="session")
def pem_files(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PEM files that are what they should be, and of some that aren't."""
    both = certificate.read_text()
    ca = both[: both.index("-----BEGIN PRIVATE KEY-----")]
    key = serialization.load_pem_private_key(both.removeprefix(ca).encode(), None)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    files = {
        "ca.pem": ca,
        "many.pem": ca * (100_000 // len(ca)),
        "ca-and-key.pem": both,
        "broken.pem": ca[:-200] + ca[-180:],
        "signing.pub": public.decode(),
        "signing.key": both.removeprefix(ca),
        "nothing.pem": "nothing\n",
    }
    folder = tmp_path_factory.mktemp("pem")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@dataclass
class Server:
    """An HTTPS server on loopback: what it answers to every request is up to the test."""

    url: str
    ca_file: str
    status: int = 200
    body: bytes = b""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), 1, now, now + datetime.timedelta(hours=1)
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(known.status)
            self.end_headers()
            self.wfile.write(known.body)

        def log_message(self, format: str, *args: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(certificate)
        http.socket = trust.wrap_socket(http.socket, server_side=True)
        known = Server(f"https://127.0.0.1:{http.server_port}", str(certificate))
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield known
        http.shutdown()
        thread.join()
