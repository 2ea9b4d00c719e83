"""Is a secret in here, in whichever spelling? Pure but for `read`; names of secrets go out, never a secret itself.

A Secret's content is base64 in Pulumi's state, and often once more inside of a larger document that is encoded as a
whole. So the plain text alone is not enough to look for.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import ahocorasick

SHORTEST = 12
"""Characters. The encoded middle of anything shorter turns up by chance in a file of megabytes."""
_GZIP = b"\x1f\x8b"


def spellings(secret: str) -> set[bytes]:
    """Each way in which `secret` may be written: plain, escaped, percent-encoded, hex, and base64 of these, twice.

    Raises ValueError for a secret that is too short to be looked for.
    """
    if len(secret) < SHORTEST:
        raise ValueError(f"a secret of {len(secret)} characters would be found by chance")
    texts = {secret, *_escaped(secret), *_percent(secret)}
    plain = {text.encode() for text in texts}
    once = {part for text in plain for part in _base64_parts(text)}
    twice = {part for text in once for part in _base64_parts(text)}
    urls = {quoted.encode() for part in once for quoted in _percent(part.decode())}
    digits = secret.encode().hex()
    return {*plain, *once, *twice, *urls, digits.encode(), digits.upper().encode()}


def found_in(content: str | bytes, secrets: Mapping[str, str]) -> list[str]:
    """The names of those `secrets`, by name, that are in there; also where line breaks or blanks cut through one."""
    data = content.encode() if isinstance(content, str) else content
    automaton = _automaton(tuple(secrets.items()))
    found: set[str] = set()
    for form in (data, re.sub(rb"(?:\\n|\s)+", b"", data)):
        for _, names in automaton.iter(form.decode("latin-1")):
            found |= names
    return [name for name in secrets if name in found]


@lru_cache
def _automaton(secrets: tuple[tuple[str, str], ...]) -> Any:
    """What looks for every spelling of all `secrets` at once, and gives the names of those that each is of."""
    names: dict[str, set[str]] = {}
    for name, secret in secrets:
        for spelling in spellings(secret):
            names.setdefault(spelling.decode("latin-1"), set()).add(name)
    automaton = ahocorasick.Automaton()
    for text, of in names.items():
        automaton.add_word(text, of)
    automaton.make_automaton()
    return automaton


def read(path: Path) -> bytes:
    """A file's content, unpacked if it is gzip; of a broken one what there is. Empty if it has gone meanwhile."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    return _unpacked(content) if content.startswith(_GZIP) else content


def _escaped(text: str) -> set[str]:
    """As JSON has it, in Python's way and in Go's, and as JSON inside of JSON has it."""

    def ways(text: str) -> set[str]:
        found = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
        go = {re.sub(r"[<>&]", lambda char: f"\\u{ord(char[0]):04x}", one) for one in found}
        return found | go

    once = ways(text)
    return once.union(*map(ways, once))


def _percent(text: str) -> set[str]:
    upper = {quote(text, safe=""), quote(text), quote_plus(text)}
    return upper | {re.sub(r"%..", lambda code: code[0].lower(), one) for one in upper}


def _base64_parts(text: bytes) -> set[bytes]:
    """What base64 of any document with `text` in it must contain, in either alphabet.

    Three bytes make four characters, so there are three cases: where in the three the text begins. The characters at
    both ends hold bits of its neighbours as well, and are left out.
    """
    parts = set()
    for before in range(3):
        first, end = -(-8 * before // 6), 8 * (before + len(text)) // 6
        padded = bytes(before) + text
        parts |= {
            encode(padded)[first:end] for encode in (base64.b64encode, base64.urlsafe_b64encode)
        }
    return parts


def _unpacked(content: bytes) -> bytes:
    found = b""
    while content.startswith(_GZIP):  # there may be several, one after the other
        stream = zlib.decompressobj(wbits=31)
        try:
            found += stream.decompress(content)
        except zlib.error:
            return found + content
        content = stream.unused_data
    return found + content
