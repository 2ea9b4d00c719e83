"""The public keys that sign a cluster's tokens: PEM, or the JWKS that the cluster itself gives out, as PEM.

A cluster's JWKS: `kubectl get --raw /openid/v1/jwks`.
"""

from __future__ import annotations

import json
import re
from typing import Any

_PEM = re.compile(r"-----BEGIN [^-]+-----.+?-----END [^-]+-----", re.DOTALL)


class JwksError(ValueError):
    """A text that is no JWKS of public keys; the message says why."""


def is_jwks(text: str) -> bool:
    """Whether a text is meant for a JWKS, and not for PEM."""
    return text.lstrip().startswith("{")


def keys(text: str) -> list[str]:
    """The keys in `text`, one PEM each, without a line break at the end, as Vault keeps them.

    Raises JwksError where the text is meant for a JWKS and is none, or holds anything but public keys.
    """
    return _from_jwks(text) if is_jwks(text) else _PEM.findall(text)


def _from_jwks(text: str) -> list[str]:
    import jwt  # 0.1 s: not for those who have none
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        entries: Any = json.loads(text).get("keys")
    except (ValueError, AttributeError, RecursionError):
        raise JwksError("is no JSON that could be read") from None
    if not isinstance(entries, list) or not entries:
        raise JwksError("has no list of `keys`, as a JWKS does")
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP"):
            raise JwksError("holds a key that signs no ServiceAccount's token: RSA, EC or OKP")
        if "d" in entry:
            raise JwksError("holds a private key; take it out")
        try:
            key = jwt.PyJWK.from_dict(entry).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            raise JwksError("holds a key that can't be read") from None
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        found.append(pem.decode().strip())
    return found
