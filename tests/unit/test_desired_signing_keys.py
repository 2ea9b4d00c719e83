"""The keys that sign a cluster's tokens, as PEM or as the JWKS that the cluster gives out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stacks.checks.pem import PemError, check_public_keys
from stacks.desired import signing_keys
from stacks.desired.vault_identity import public_keys

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()


def jwk(algorithm: str, key: Any) -> dict[str, Any]:
    made: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)
    return made


JWKS = [
    {**jwk("RS256", RSA.public_key()), "use": "sig", "kid": "one", "alg": "RS256"},
    {**jwk("ES256", EC.public_key()), "use": "sig", "kid": "two", "alg": "ES256"},
]


def test_a_jwks_is_the_same_keys_as_pem(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": JWKS}))
    (tmp_path / "keys.pem").write_text(f"{pem(RSA)}\n{pem(EC)}\n")
    for name in ("keys.json", "keys.pem"):
        check_public_keys(str(tmp_path / name))
        assert public_keys([str(tmp_path / name)]) == [pem(RSA), pem(EC)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("{" * 100_000, "is no JSON"),
        ("{}", "has no list of `keys`"),
        ('{"keys": []}', "has no list of `keys`"),
        ('{"keys": {"kty": "RSA"}}', "has no list of `keys`"),
        ('{"keys": [1]}', "signs no ServiceAccount's token"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "signs no ServiceAccount's token"),
        ('{"keys": [{"kty": "RSA", "n": "AQ"}]}', "can't be read"),
        ('{"keys": [{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}]}', "can't be read"),
        (json.dumps({"keys": [jwk("RS256", RSA)]}), "holds a private key"),
        (json.dumps({"keys": [jwk("ES256", EC)]}), "holds a private key"),
    ],
)
def test_no_jwks(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(PemError, match=message) as caught:
        check_public_keys(str(tmp_path / "keys.json"))
    assert str(caught.value).startswith(str(tmp_path / "keys.json"))
    assert "c2VjcmV0" not in str(caught.value)
    with pytest.raises(signing_keys.JwksError):
        signing_keys.keys(text)
