"""The leak tests of the e2e suite see a secret in each spelling, wherever in a document it begins."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.e2e.leaks import found_in, read, spellings

SECRETS = {
    "a token": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJr_b-c",
    "a password": 'p"ä\\<&> /+~?ÿ word-1\n2',
    "a key": "-----BEGIN KEY-----\nMIIEv/+aZ09\n-----END KEY-----\n",
}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def url64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def go_escaped(text: str) -> str:
    """As Go's encoder does: these three for the sake of HTML, and nothing else beyond what must be."""
    whole = json.dumps(text, ensure_ascii=False)[1:-1]
    for char, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        whole = whole.replace(char, code)
    return whole


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": escaped,
    "JSON twice": lambda text: escaped(escaped(text)),
    "Go's JSON": go_escaped,
    "Go's JSON twice": lambda text: escaped(go_escaped(text)),
    "percent": lambda text: quote(text, safe=""),
    "percent, slashes kept": quote,
    "percent, lower case": lambda text: re.sub("%..", lambda code: code[0].lower(), quote(text)),
    "a form": quote_plus,
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base64": b64,
    "base64, URL-safe": url64,
    "base64 in a URL": lambda text: quote(b64(text), safe=""),
    "base64 of JSON": lambda text: b64(json.dumps({"bearerToken": text})),
    "base64 twice": lambda text: b64(f"token: {b64(text)}\n"),
    "base64 in JSON in base64": lambda text: b64(json.dumps({"tls": {"keyData": b64(text)}})),
}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_spelling_is_found(encoding: str, name: str) -> None:
    text = f"before {ENCODINGS[encoding](SECRETS[name])} after"
    assert name in found_in(text, SECRETS)
    assert name in found_in(text.encode(), SECRETS)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("encode", [b64, url64])
def test_inside_of_a_larger_document_at_every_offset(
    encode: Callable[[str], str], name: str
) -> None:
    for before in range(8):
        for after in range(4):
            document = "ÿ" * (before // 2) + "x" * (before % 2) + SECRETS[name] + "y" * after
            assert name in found_in(f'{{"data": "{encode(document)}"}}', SECRETS), (before, after)
            within = "z" * before + encode(document)
            assert name in found_in(encode(within), SECRETS), (before, after)


def test_base64_that_is_broken_into_lines() -> None:
    encoded = base64.encodebytes((SECRETS["a key"] * 3).encode()).decode()
    assert "\n" in encoded.strip()
    assert found_in(encoded, SECRETS) == ["a key"]
    assert found_in(json.dumps(encoded), SECRETS) == ["a key"]


def test_nothing_is_found_where_nothing_is() -> None:
    noise = random.Random(7).randbytes(200_000)
    near = {name: secret[:-1] + "#" for name, secret in SECRETS.items()}
    for content in (noise, base64.b64encode(noise), json.dumps(near)):
        assert found_in(content, SECRETS) == []
    assert found_in(b64(json.dumps(near)), {"a token": SECRETS["a token"]}) == []


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="by chance"):
        spellings("short")


def test_files(tmp_path: Path) -> None:
    content = SECRETS["a token"].encode()
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "state.json.gz").write_bytes(gzip.compress(b"{}") + gzip.compress(content))
    (tmp_path / "broken.gz").write_bytes(gzip.compress(content * 9)[:-4])
    (tmp_path / "only-begins-like-one").write_bytes(b"\x1f\x8b" + content)
    for path in tmp_path.iterdir():
        assert found_in(read(path), SECRETS) == ["a token"], path
    assert read(tmp_path / "gone") == b""
