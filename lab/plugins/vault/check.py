"""What `pulumi` asks before anything else: are these inputs acceptable, and with which defaults."""

from __future__ import annotations

import difflib
import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.vault.schema import Field, Plain, Schema
from lab.plugins.vault.values import UNKNOWN

_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "list": list,
    "set": list,
    "map": dict,
    "tune": dict,
}


def failures(schema: Schema, inputs: Plain) -> list[CheckFailure]:
    """Return what is wrong with `inputs`: unknown and missing fields, wrong types and values."""
    fields = schema.inputs()
    found = [CheckFailure(name, unexpected(name, fields)) for name in inputs if name not in fields]
    for name, field in fields.items():
        value = inputs.get(name)
        if value is None:
            if field.required:
                reason = f'missing required property "{name}"'
                found.append(CheckFailure(name, reason))
        elif value is not UNKNOWN:
            problem = _problem(field, value)
            if problem:
                found.append(CheckFailure(name, f'"{name}" {problem}'))
    return found


def unexpected(name: str, known: Iterable[str]) -> str:
    """Return the message for an input that does not exist."""
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    return f'an argument named "{name}" is not expected here{hint}'


def _problem(field: Field, value: Any) -> str:
    wanted = _PYTHON_TYPES[field.kind]
    is_bool = isinstance(value, bool)
    if not isinstance(value, wanted) or (is_bool and field.kind != "boolean"):
        shown = type(value).__name__
        return f"must be a {field.kind}, not a {shown}"
    if field.choices and value not in field.choices:
        return f"must be one of {', '.join(field.choices)}, not {value!r}"
    return ""


def slash_failures(inputs: Plain, name: str) -> list[CheckFailure]:
    """Refuse a path that ends in a slash, as the official plugin does."""
    value = inputs.get(name)
    if isinstance(value, str) and value.endswith("/"):
        return [CheckFailure(name, f"\"{name}\": cannot write to a path ending in '/'")]
    return []


def with_defaults(schema: Schema, inputs: Plain) -> Plain:
    """Return `inputs` with the defaults the official plugin adds to them."""
    defaults = {
        name: field.default
        for name, field in schema.inputs().items()
        if field.default is not None and inputs.get(name) is None
    }
    return {**inputs, **defaults}


def auto_name(resource_name: str, old: Plain, seed: bytes) -> str:
    """Return the name of an object whose program gives none: kept once chosen, else random."""
    kept = old.get("name")
    if isinstance(kept, str):
        return kept
    digest = hashlib.sha256(seed or secrets.token_bytes(16)).hexdigest()
    return f"{resource_name}-{digest[:7]}"
