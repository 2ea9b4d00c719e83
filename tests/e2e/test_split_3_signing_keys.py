"""A spoke's ServiceAccount signing keys change: docs/rotate.md's way, with public keys in the stack file."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e.fleet_lab import FleetLab, wait_until
from tests.e2e.split import SPOKES, Split

SPOKE, STACK = "prod-us-west-2", "production"


def test_new_signing_keys(split: Split) -> None:
    lab = split.lab
    pki = lab.home / "pki" / SPOKE
    old_private, old_public = (pki / "sa.key").read_bytes(), (pki / "sa.pub").read_bytes()
    old_file, new_file = pki / "old.pub", pki / "new.pub"
    new_private, new_public = _key_pair()
    old_file.write_bytes(old_public)
    new_file.write_bytes(new_public)
    signed_before = _token(lab)
    assert _login(lab, signed_before) == 200

    # 1. Vault knows both keys before the cluster signs with the new one.
    split.change_spoke(SPOKE, jwtPublicKeys=[str(old_file), str(new_file)])
    lab.up(STACK)
    # 2. The cluster signs with the new key and still accepts the old one's tokens.
    (pki / "sa.key").write_bytes(new_private)
    (pki / "sa.pub").write_bytes(new_public + old_public)
    _restart(lab)
    signed_after = _token(lab)
    assert _login(lab, signed_after) == 200
    assert _login(lab, signed_before) == 200, "nobody is locked out in between"
    # 3. The old key goes.
    split.change_spoke(SPOKE, jwtPublicKeys=[str(new_file)])
    lab.up(STACK)
    assert _login(lab, signed_after) == 200
    assert _login(lab, signed_before) in (400, 403)
    split.keep(STACK)
    lab.nothing_to_change(STACK)

    written = f"rotated-{old_private[-40:-30].hex()}"
    lab.bao("kv", "patch", "-mount=secret", "payment-service/db", f"password={written}",
            namespace=SPOKES[SPOKE])  # fmt: skip
    lab.kubectl(SPOKE, "-n", "payment-service", "annotate", "externalsecret",
                "payment-db-credentials", "force-sync=keys", "--overwrite")  # fmt: skip
    wait_until(
        "External Secrets logs in with a token that the new key signed",
        lambda: (
            lab.secret(SPOKE, "payment-service", "payment-db-credentials").get("password")
            == written
        ),
        timeout=120,
    )
    split.fine(SPOKE)


def _key_pair() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def _restart(lab: FleetLab) -> None:
    for part in (f"kube-apiserver-{SPOKE}", f"kube-controller-manager-{SPOKE}"):
        lab.kill_part(part)
    lab.run_controllers()


def _token(lab: FleetLab) -> str:
    return lab.kubectl(
        SPOKE, "-n", "external-secrets", "create", "token", "external-secrets", "--audience=vault"
    ).strip()


def _login(lab: FleetLab, jwt: str) -> int:
    trust = ssl.create_default_context(cafile=str(Path(lab.env["VAULT_CACERT"])))
    return httpx.post(
        f"{lab.env['VAULT_ADDR']}/v1/auth/jwt-{SPOKE}/login",
        json={"role": "external-secrets", "jwt": jwt},
        headers={"X-Vault-Namespace": SPOKES[SPOKE]},
        verify=trust,
        trust_env=False,
    ).status_code
