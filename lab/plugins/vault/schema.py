"""What a Vault resource looks like to Pulumi: its fields, and how two values of one compare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Plain = dict[str, Any]
"""Properties by camelCase name, as plain Python values (`UNKNOWN` where Pulumi does not know)."""

Kind = Literal["string", "integer", "boolean", "list", "set", "map", "tune"]

_ZERO: Mapping[Kind, object] = {
    "string": "",
    "integer": 0,
    "boolean": False,
    "list": [],
    "set": [],
    "map": {},
    "tune": {},
}
_DURATION = re.compile(r"(\d+)(h|m|s|d)")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a resource.

    `replace`: a change replaces the object (Terraform's ForceNew). `computed`: Vault chooses a
    value where the program gives none, so its absence is no change. `secret`: kept encrypted in
    state. `hidden`: Vault never returns it, so drift can't be seen and the given value is kept.
    `output`: set by Vault only, never an input. `sent`: part of the object's own API body.
    """

    kind: Kind = "string"
    required: bool = False
    default: object = None
    replace: bool = False
    computed: bool = False
    secret: bool = False
    hidden: bool = False
    output: bool = False
    sent: bool = True
    choices: tuple[str, ...] = ()

    @property
    def unset(self) -> object:
        """What Vault holds when the program says nothing."""
        return self.default if self.default is not None else _ZERO[self.kind]

    def is_unset(self, value: object) -> bool:
        """Tell whether `value` says the same as leaving the field out."""
        zero = self.unset if self.kind == "boolean" else _ZERO[self.kind]
        return value is None or bool(self.normal(value) in (zero, self.normal(self.unset)))

    def same(self, one: object, other: object) -> bool:
        """Tell whether two known values mean the same to Vault."""
        if one is None or other is None:
            return self.is_unset(one) and self.is_unset(other)
        return bool(self.normal(one) == self.normal(other))

    def normal(self, value: object) -> Any:
        """Return `value` in the one form that comparisons use."""
        if isinstance(value, str):
            return value.strip() if value.lstrip().startswith("-----BEGIN ") else value
        if isinstance(value, list | tuple):
            items = [self.normal(item) for item in value]
            return sorted(items, key=str) if self.kind == "set" else items
        if isinstance(value, Mapping):
            entries = {str(key): self.normal(item) for key, item in value.items()}
            if self.kind == "tune":
                return {
                    key: seconds(item) if key.endswith("Ttl") else item
                    for key, item in entries.items()
                    if item not in ("", [], None)
                }
            return entries
        return value


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A resource type: its Pulumi token, its fields, and those that name the object in Vault."""

    type: str
    fields: Mapping[str, Field]
    identity: tuple[str, ...]

    def inputs(self) -> dict[str, Field]:
        """Return the fields that a program may set."""
        return {name: field for name, field in self.fields.items() if not field.output}

    def body(self, values: Plain) -> dict[str, Any]:
        """Return the API body for `values`: set fields only, in Vault's names."""
        return {
            snake(name): values[name]
            for name, field in self.fields.items()
            if field.sent and not field.output and values.get(name) is not None
        }

    def cleared(self, old: Plain, new: Plain) -> dict[str, Any]:
        """Return, in Vault's names, the empty values of fields that `new` no longer sets."""
        return {
            snake(name): field.unset
            for name, field in self.fields.items()
            if field.sent
            and not field.output
            and old.get(name) is not None
            and new.get(name) is None
        }


NAMESPACE = Field(replace=True, sent=False)
"""Every resource's `namespace`, relative to the provider's."""


def seconds(duration: object) -> object:
    """Return a Go or Vault duration ("1h30m", "90s", 90) in seconds; anything else as it is."""
    if isinstance(duration, int | float):
        return int(duration)
    text = str(duration)
    if text.isdigit():
        return int(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        return duration
    return sum(int(amount) * _SECONDS[unit] for amount, unit in parts)


def snake(name: str) -> str:
    """Return Vault's name of a property: `boundIssuer` is `bound_issuer`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def trim(path: object) -> str:
    """Return a mount path or namespace without slashes at its ends."""
    return str(path or "").strip("/")
