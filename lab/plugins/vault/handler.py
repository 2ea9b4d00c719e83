"""What a resource type brings along, and the reading of Vault's answers that they share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.serve import ProviderError
from lab.plugins.vault.client import Vault
from lab.plugins.vault.schema import Plain, Schema, snake
from lab.plugins.vault.values import has_unknown


class Handler(Protocol):
    """One resource type. `vault` is Vault as seen from the resource's namespace.

    IDs are the official plugin's. `values` and `old` are inputs; `known` is what state or program
    say of the object (empty on an import).
    """

    @property
    def schema(self) -> Schema:
        """The type's token and fields."""

    def check(self, inputs: Plain) -> list[CheckFailure]:
        """Return failures that go beyond the single field."""

    def resource_id(self, values: Plain) -> str:
        """Return the ID of the object that `values` describe."""

    def create(self, vault: Vault, values: Plain) -> None:
        """Create the object; a `ProviderError` means that there is none, or not ours."""

    def configure(self, vault: Vault, values: Plain) -> None:
        """Take a second step after `create`; failing, the object exists half-made."""

    def read(self, vault: Vault, resource_id: str, known: Plain) -> Plain | None:
        """Return what Vault holds, by property name, or None where nothing is."""

    def update(self, vault: Vault, resource_id: str, old: Plain, values: Plain) -> None:
        """Bring the object from `old` to `values`."""

    def delete(self, vault: Vault, resource_id: str, known: Plain) -> None:
        """Delete the object; gone already is fine."""


def from_vault(schema: Schema, data: dict[str, Any]) -> Plain:
    """Return Vault's answer under the schema's property names, whichever it has of them."""
    return {
        name: data[snake(name)]
        for name, field in schema.fields.items()
        if field.sent and not field.hidden and data.get(snake(name)) is not None
    }


def split_id(pattern: str, resource_id: str, kind: str) -> tuple[str, ...]:
    """Return the parts of an ID such as `auth/<backend>/role/<role>`, or say what it should be."""
    regex = re.sub(r"<\w+>", "(.+)", pattern)
    match = re.fullmatch(regex, resource_id)
    if not match:
        raise ProviderError(f'"{resource_id}" is no ID of a {kind}: it should be {pattern}')
    return match.groups()


def conflicts(inputs: Plain, names: tuple[str, ...], *, required: bool) -> list[CheckFailure]:
    """Refuse more than one of `names`, and (where `required`) none of them."""
    given = [name for name in names if inputs.get(name) not in (None, "", [], {})]
    listed = ", ".join(names[:-1]) + " or " + names[-1]
    if len(given) > 1:
        return [CheckFailure(given[1], f"{' and '.join(given)} exclude each other")]
    if not given and required:
        return [CheckFailure(names[0], f"exactly one of {listed} should be provided")]
    return []


def known_string(values: Plain, name: str) -> str:
    """Return a string property that must be known by now."""
    value = values.get(name)
    if value is None or has_unknown(value):
        raise ProviderError(f'the value of "{name}" is not known')
    return str(value)


@dataclass(frozen=True)
class Entry:
    """A resource that is one API path: written, read and deleted there (roles and configs).

    `pattern` is the ID and the path, such as `auth/<backend>/role/<roleName>`.
    """

    schema: Schema
    pattern: str
    kind: str
    deletable: bool = True

    def check(self, inputs: Plain) -> list[CheckFailure]:
        """Nothing beyond the fields."""
        return []

    def resource_id(self, values: Plain) -> str:
        """Return the path, without slashes at its parts' ends."""
        return re.sub(
            r"<(\w+)>", lambda match: known_string(values, match[1]).strip("/"), self.pattern
        )

    def create(self, vault: Vault, values: Plain) -> None:
        """Write it; like the official plugin, over whatever is there."""
        vault.write(self.resource_id(values), self.schema.body(values))

    def configure(self, vault: Vault, values: Plain) -> None:
        """Nothing more to do."""

    def read(self, vault: Vault, resource_id: str, known: Plain) -> Plain | None:
        """Read it; its parent's absence is its own."""
        names = re.findall(r"<(\w+)>", self.pattern)
        parts = split_id(self.pattern, resource_id, self.kind)
        data = vault.read(resource_id)
        if data is None:
            return None
        return from_vault(self.schema, data) | dict(zip(names, parts, strict=True))

    def update(self, vault: Vault, resource_id: str, old: Plain, values: Plain) -> None:
        """Write it, with empty values for what the program no longer sets."""
        vault.write(resource_id, self.schema.body(values) | self.schema.cleared(old, values))

    def delete(self, vault: Vault, resource_id: str, known: Plain) -> None:
        """Delete it, unless the official plugin leaves it to its mount's end."""
        if self.deletable:
            vault.delete(resource_id)
