"""PEM files that a stack file names: whether they hold what they should, found out before anything is made."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from pathlib import Path

from stacks.desired import signing_keys

_BLOCK = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL
)
_PUBLIC_KEYS = {"PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"}
_DER_SEQUENCE = 0x30


class PemError(Exception):
    """A file that doesn't hold what it should; the message names it and says why, and quotes nothing of it."""


def check_certificates(path: str) -> None:
    """Make sure that the file at `path` holds certificates, all readable, and no private key.

    Raises PemError. A key in it would be handed on with the certificates, to wherever they go.
    """
    text = _text(path)
    if "CERTIFICATE" not in _labels(path, text):
        raise PemError(f"{path} holds no certificate in PEM")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise PemError(f"{path} holds a certificate that can't be read") from None


def check_public_keys(path: str) -> None:
    """Make sure that the file at `path` holds public keys, as PEM or JWKS, or certificates of them; no private key.

    Raises PemError.
    """
    text = _text(path)
    if signing_keys.is_jwks(text):
        try:
            signing_keys.keys(text)
        except signing_keys.JwksError as error:
            raise PemError(f"{path} {error}") from None
        return
    labels = _labels(path, text)
    if not labels:
        raise PemError(f"{path} holds no public key in PEM, and is no JWKS")
    for label in labels:
        if label not in _PUBLIC_KEYS:
            raise PemError(f"{path} holds a {label.lower()}, which is no public key")


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except UnicodeDecodeError:
        raise PemError(f"{path} is no PEM file") from None
    except OSError as error:
        raise PemError(f"{path} can't be read: {error.strerror}") from None


def _labels(path: str, text: str) -> list[str]:
    """What each block of a PEM file says it is; each holds what could be that."""
    labels = []
    for found in _BLOCK.finditer(text):
        label = found["label"]
        if "PRIVATE" in label:
            raise PemError(f"{path} holds a private key; take it out")
        try:
            content = base64.b64decode("".join(found["body"].split()), validate=True)
        except binascii.Error:
            content = b""
        if not content or content[0] != _DER_SEQUENCE:
            raise PemError(f"{path} holds a {label.lower()} that can't be read")
        labels.append(label)
    return labels
