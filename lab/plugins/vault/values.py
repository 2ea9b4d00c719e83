"""Between Pulumi's property values and plain Python ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

from lab.plugins.serve import Properties
from lab.plugins.vault.schema import Plain, Schema


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()
"""A value that is known only once another resource exists."""


def plain(properties: Properties) -> Plain:
    """Return `properties` as plain values, without nulls and Pulumi's own `__` keys."""
    values = {
        name: _plain(value) for name, value in properties.items() if not name.startswith("__")
    }
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: PropertyValue) -> Any:
    inner = value.value
    if inner == rpc.UNKNOWN:  # the SDK's PropertyValue hands the engine's mark through as it is
        return UNKNOWN
    if isinstance(inner, float) and not isinstance(inner, bool):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return plain(dict(inner))
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [_plain(item) for item in inner]
    return inner


def has_unknown(value: object) -> bool:
    """Tell whether `value` is or contains `UNKNOWN`."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


def properties(values: Plain, schema: Schema, *like: Properties) -> Properties:
    """Return `values` as property values; secret where the schema or one of `like` says so."""

    def secret(name: str) -> bool:
        field = schema.fields.get(name)
        return bool(field and field.secret) or any(
            name in given and given[name].contains_secret() for given in like
        )

    return {
        name: property_value(value).with_secret(secret(name))
        for name, value in values.items()
        if value is not None
    }


def property_value(value: object) -> PropertyValue:
    """Return one plain value as a property value."""
    if value is UNKNOWN:
        return PropertyValue(rpc.UNKNOWN)  # `PropertyValue.computed()` cannot be marshalled
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return PropertyValue(value)
    if isinstance(value, int | float):
        return PropertyValue(float(value))
    if isinstance(value, Mapping):
        return PropertyValue({str(key): property_value(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return PropertyValue([property_value(item) for item in value])
    raise TypeError(f"no property value for a {type(value).__name__}")
