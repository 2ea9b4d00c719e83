"""Certificates and keys: one authority per cluster and one for OpenBao, made once."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.home import LabHome, write_private

LIFETIME = datetime.timedelta(days=3650)
_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder of its own. Every file is for this user only."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        """The authority's certificate: what clients trust."""
        return self.folder / "ca.crt"

    def create(self) -> Authority:
        """Make the authority where it is missing."""
        if self.certificate.exists() and self._key_file.exists():
            return self
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(self.name)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _pem(key))
        write_private(self.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return self

    def server(self, name: str, hosts: Sequence[str]) -> KeyPair:
        """A serving certificate for these DNS names and addresses, made where it is missing."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        # etcd's JSON gateway is a client of etcd itself and shows the same certificate
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._issue(name, _name(name), purposes, names)

    def client(self, name: str, user: str, group: str | None = None) -> KeyPair:
        """A client certificate for a Kubernetes user and group, made where it is missing."""
        return self._issue(name, _name(user, group), [ExtendedKeyUsageOID.CLIENT_AUTH], None)

    @property
    def _key_file(self) -> Path:
        return self.folder / "ca.key"

    def _issue(
        self,
        name: str,
        subject: x509.Name,
        purposes: list[x509.ObjectIdentifier],
        names: x509.SubjectAlternativeName | None,
    ) -> KeyPair:
        pair = KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        if pair.certificate.exists() and pair.key.exists():
            return pair
        pem = self._key_file.read_bytes()
        signer = cast(ec.EllipticCurvePrivateKey, serialization.load_pem_private_key(pem, None))
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(subject, authority.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        write_private(pair.key, _pem(key))
        write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return pair


@dataclass(frozen=True)
class ClusterPki:
    """All that one cluster's control plane signs and is known by."""

    authority: Authority
    apiserver: KeyPair
    admin: KeyPair
    """A member of ``system:masters``."""
    controller_manager: KeyPair
    service_account_key: Path
    """Signs ServiceAccount tokens (RSA)."""
    service_account_public: Path


def cluster_pki(home: LabHome, cluster: str) -> ClusterPki:
    """The certificates of one cluster, made where they are missing."""
    folder = home.pki / cluster
    authority = Authority(folder, f"{cluster}-ca").create()
    kubernetes = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    hosts = ("localhost", *kubernetes, f"{cluster}.lab", "127.0.0.1", "10.0.0.1")
    private, public = folder / "sa.key", folder / "sa.pub"
    if not (private.exists() and public.exists()):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        write_private(private, _pem(key))
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        write_private(public, key.public_key().public_bytes(serialization.Encoding.PEM, spki))
    return ClusterPki(
        authority=authority,
        apiserver=authority.server("apiserver", hosts),
        admin=authority.client("admin", "admin", "system:masters"),
        controller_manager=authority.client("kcm", "system:kube-controller-manager"),
        service_account_key=private,
        service_account_public=public,
    )


def server_pki(home: LabHome, name: str) -> tuple[Authority, KeyPair, KeyPair]:
    """An authority of its own for a loopback server: it, a serving and a client certificate."""
    authority = Authority(home.pki / name, f"{name}-ca").create()
    server = authority.server("server", ("localhost", "127.0.0.1"))
    return authority, server, authority.client("client", f"{name}-client")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))  # the clock may be set back a bit
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str, organization: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: _PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
