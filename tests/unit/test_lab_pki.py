from __future__ import annotations

import contextlib
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from lab.home import LabHome
from lab.pki import Authority, KeyPair, cluster_pki, server_pki


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    return LabHome(tmp_path).create()


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def handshake(server: KeyPair, server_ca: Authority, client: KeyPair, client_ca: Authority) -> str:
    """A TLS connection with both sides checked; returns the client's common name as seen there."""
    accepting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca.certificate)
    accepting.load_cert_chain(server.certificate, server.key)
    accepting.verify_mode = ssl.CERT_REQUIRED
    calling = ssl.create_default_context(cafile=server_ca.certificate)
    calling.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's default from 3.13 on
    calling.load_cert_chain(client.certificate, client.key)
    ours, theirs = socket.socketpair()
    seen: list[str] = []

    def accept() -> None:
        with (
            contextlib.suppress(ssl.SSLError),  # where the client refused
            accepting.wrap_socket(theirs, server_side=True) as connection,
        ):
            subject = dict(field[0] for field in connection.getpeercert()["subject"])  # type: ignore[index,misc]
            seen.append(subject["commonName"])

    thread = threading.Thread(target=accept)
    thread.start()
    with calling.wrap_socket(ours, server_hostname="127.0.0.1"):
        thread.join()
    return seen[0]


def test_an_api_server_and_its_administrator_trust_each_other(home: LabHome) -> None:
    pki = cluster_pki(home, "hub")
    seen = handshake(pki.apiserver, pki.authority, pki.admin, pki.authority)
    assert seen == "admin"


def test_each_cluster_has_an_authority_of_its_own(home: LabHome) -> None:
    hub, spoke = cluster_pki(home, "hub"), cluster_pki(home, "spoke")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(hub.apiserver, spoke.authority, hub.admin, hub.authority)


def test_the_administrator_is_a_master_and_the_controllers_are_not(home: LabHome) -> None:
    pki = cluster_pki(home, "hub")
    groups = load(pki.admin.certificate).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [group.value for group in groups] == ["system:masters"]
    subject = load(pki.controller_manager.certificate).subject
    assert subject.rfc4514_string() == "CN=system:kube-controller-manager"


def test_the_api_servers_names(home: LabHome) -> None:
    certificate = load(cluster_pki(home, "hub").apiserver.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "kubernetes.default.svc", "hub.lab"} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "10.0.0.1"]


def test_service_account_keys_are_a_pair(home: LabHome) -> None:
    pki = cluster_pki(home, "hub")
    key = serialization.load_pem_private_key(pki.service_account_key.read_bytes(), None)
    public = serialization.load_pem_public_key(pki.service_account_public.read_bytes())
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.public_key() == public


def test_everything_is_made_once(home: LabHome) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in home.pki.rglob("*") if path.is_file()}

    cluster_pki(home, "hub")
    server_pki(home, "openbao")
    before = content()
    cluster_pki(home, "hub")
    server_pki(home, "openbao")
    assert content() == before


def test_no_file_is_readable_by_others(home: LabHome) -> None:
    cluster_pki(home, "hub")
    server_pki(home, "openbao")
    files = [path for path in home.pki.rglob("*") if path.is_file()]
    assert len(files) == 16
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
