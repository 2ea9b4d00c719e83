"""Preflight against a small HTTPS server that answers as Vault and as an API server do."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import socket
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

import stacks
from stacks import preflight


@dataclass
class Server:
    url: str
    ca_file: str
    status: int = 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "preflight")])
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
            self.send_response(known.status if self.path == "/v1/sys/health" else 401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(certificate)
        http.socket = trust.wrap_socket(http.socket, server_side=True)
        known = Server(f"https://127.0.0.1:{http.server_port}", str(certificate))
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield known
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [200, 429, 473])
def test_an_open_vault(server: Server, status: int) -> None:
    server.status = status
    preflight.require_vault(stacks.Vault(address=server.url, ca_file=server.ca_file), "lab")


@pytest.mark.parametrize(
    ("status", "message"),
    [(503, "is sealed; unseal it"), (501, "is not initialised"), (404, "with status 404")],
)
def test_a_closed_vault(server: Server, status: int, message: str) -> None:
    server.status = status
    with pytest.raises(stacks.StackError, match=message) as caught:
        preflight.require_vault(stacks.Vault(address=server.url, ca_file=server.ca_file), "lab")
    assert str(caught.value).startswith("stacks/Pulumi.lab.yaml: fleet:vault.address: ")


def test_a_vault_that_is_not_there_or_not_trusted(server: Server) -> None:
    with pytest.raises(stacks.StackError, match="does not answer"):
        preflight.require_vault(stacks.Vault(address=_nobody()), "lab")
    with pytest.raises(stacks.StackError, match=r"does not answer.*certificate"):
        preflight.require_vault(stacks.Vault(address=server.url), "lab")
    with pytest.raises(stacks.StackError, match=r"fleet:vault.caFile: absent.crt can't be read"):
        preflight.require_vault(stacks.Vault(address=server.url, ca_file="absent.crt"), "lab")


def test_silent_clusters(server: Server, certificate: Path) -> None:
    ca_data = base64.b64encode(certificate.read_bytes().split(b"-----BEGIN PRIVATE")[0]).decode()
    answers = stacks.ClusterAccess("answers", server.url, ca_data, "")
    nobody = stacks.ClusterAccess("nobody", _nobody(), ca_data, "")
    assert preflight.silent([nobody, answers]) == [nobody]


def _nobody() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"https://127.0.0.1:{free.getsockname()[1]}"
