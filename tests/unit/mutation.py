"""Documents for fuzzing: real ones, of which parts are replaced, doubled, nested or left out, as text or as YAML."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

STRANGE: list[Any] = [
    None, True, 0, -1, 1.5, 1e300, 10**30, "", " ", "\n", "x" * 5000, "é", "\u0085", "{{", "}}", "{{.name}}",
    "${", "${HOME}", "$${X}", "~", "*", "/", "..", "https://", "https://[", "https://u:p@h", "https://h:99999",
    "kubernetes.default.svc", "0o17", "1e3", "2024-02-28", "yes", "<<", "secure", "-----BEGIN CERTIFICATE-----",
    "LS0tLS1CRUdJTg==", "REDACTED", [], {}, [[]], {"": None}, {"secure": "x"}, {"kind": "x"}, [None],
    {"name": None}, {"a": {"b": {"c": {}}}},
]  # fmt: skip
TEXTS = [
    "\t", "&a ", "*a", "!!binary ", "!x ", "? ", "- ", "[", "]", "{", "}", ": ", "#", "|", ">", "---\n", "...\n",
    "%YAML 1.1\n",
    "'", '"', "\x00", "\ufeff", "<<: ", "0x", "\r", "[" * 200, "- " * 200, "&a [*a]",
]  # fmt: skip


@st.composite
def documents(draw: st.DrawFn, originals: Sequence[str]) -> bytes:
    """A document that was one of `originals`."""
    text = draw(st.sampled_from(originals))
    if draw(st.booleans()):
        value = yaml.safe_load(text)
        for _ in range(draw(st.integers(1, 4))):
            _change(draw, value)
        text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=draw(st.booleans()))
    else:
        for _ in range(draw(st.integers(1, 4))):
            place = draw(st.integers(0, len(text)))
            until = min(len(text), place + draw(st.integers(0, 12)))
            text = text[:place] + draw(st.sampled_from(TEXTS)) + text[until:]
    return text.encode("utf-8", "replace")


def _change(draw: st.DrawFn, root: Any) -> None:
    places = list(_places(root))
    if not places:
        return
    inside, key = draw(st.sampled_from(places))
    match draw(st.integers(0, 5)):
        case 0:
            del inside[key]
        case 1:
            inside[key] = [inside[key]]
        case 2:
            inside[key] = {"name": inside[key]}
        case 3:
            other, its = draw(st.sampled_from(places))
            try:
                inside[key] = copy.deepcopy(other[its])
            except (KeyError, IndexError):
                return
        case 4 if isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        case 4:
            inside[draw(st.sampled_from(["", "x", "a:b", "fleet:", "fleet:config:hub"]))] = inside[
                key
            ]
        case _:
            inside[key] = copy.deepcopy(draw(st.sampled_from(STRANGE) | st.text(max_size=30)))


def _places(value: Any) -> Any:
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])
