"""Values between the engine's protobuf structs and Python, with secrets and unknowns kept.

The SDK's `PropertyValue` does the same, at eight times the price: a CRD has ten thousand nodes and
passes here five times in one `up`. Nulls in maps are dropped, as the official plugin does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2

Object = dict[str, Any]
"""A Kubernetes object or property map; leaves may be `Secret` or `UNKNOWN`."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # a marker of the protocol
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class _Unknown:
    """The one value of a field that a preview can't know yet."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN = _Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must be encrypted in state and hidden in every display."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Reference:
    """A resource as a value, such as the elements of `ConfigGroup.resources`."""

    urn: str
    resource_id: Any
    version: str


def decode(struct: struct_pb2.Struct) -> Object:
    """Return `struct` as a dict: whole numbers as int, secrets and unknowns wrapped."""
    return {
        key: value for key, item in struct.fields.items() if (value := _decode(item)) is not None
    }


def _decode(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text == _UNKNOWN_TEXT else text
    if kind == "struct_value":
        fields = value.struct_value.fields
        if _SIGNATURE in fields:
            return _decode_special(fields)
        return {key: inner for key, item in fields.items() if (inner := _decode(item)) is not None}
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    return None


def _decode_special(fields: Any) -> Any:
    signature = fields[_SIGNATURE].string_value
    if signature == _SECRET:
        return secret(_decode(fields["value"]))
    if signature == _OUTPUT:
        inner = _decode(fields["value"]) if "value" in fields else UNKNOWN
        return secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    # Assets and resource references go through as they are, signature and all.
    return {key: _decode(item) for key, item in fields.items()}


def encode(values: Object) -> struct_pb2.Struct:
    """Return `values` as a protobuf struct; the opposite of `decode`."""
    struct = struct_pb2.Struct()
    for key, value in values.items():
        _fill(struct.fields[key], value)
    return struct


def _fill(target: Any, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        fields = target.struct_value.fields
        for key, item in value.items():
            if item is not None:
                _fill(fields[key], item)
    elif isinstance(value, list):
        target.list_value.SetInParent()
        values = target.list_value.values
        for item in value:
            _fill(values.add(), item)
    elif value is True or value is False:
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif value is UNKNOWN:
        target.string_value = _UNKNOWN_TEXT
    elif isinstance(value, Secret):
        fields = target.struct_value.fields
        fields[_SIGNATURE].string_value = _SECRET
        _fill(fields["value"], value.value)
    elif isinstance(value, Reference):
        fields = target.struct_value.fields
        fields[_SIGNATURE].string_value = _RESOURCE
        fields["urn"].string_value = value.urn
        fields["packageVersion"].string_value = value.version
        _fill(fields["id"], value.resource_id)
    else:
        target.null_value = struct_pb2.NULL_VALUE


def secret(value: Any) -> Any:
    """Wrap `value` as a secret, once, and without secrets inside."""
    return Secret(plain(value))


def plain(value: Any) -> Any:
    """Return `value` without its secret wrappers; unknowns stay."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Tell whether a preview can't know all of `value`."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    if isinstance(value, Secret):
        return has_unknown(value.value)
    return value is UNKNOWN


def annotate(value: Any, like: Any) -> Any:
    """Return `value` with a secret wherever `like` has one."""
    if isinstance(like, Secret):
        return secret(value)
    if isinstance(value, dict) and isinstance(like, dict):
        return {
            key: annotate(item, like[key]) if key in like else item for key, item in value.items()
        }
    if isinstance(value, list) and isinstance(like, list):
        extra: Iterable[Any] = like + [None] * (len(value) - len(like))
        return [annotate(item, other) for item, other in zip(value, extra, strict=False)]
    return value


def secret_texts(value: Any, *, inside: bool = False) -> set[str]:
    """Return every text that `value` holds as a secret."""
    if isinstance(value, Secret):
        return secret_texts(value.value, inside=True)
    if isinstance(value, dict):
        return set().union(*(secret_texts(item, inside=inside) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(secret_texts(item, inside=inside) for item in value))
    return {value} if inside and isinstance(value, str) and value else set()
