"""The kinds of value that a stack file's keys take, and the form that every section of it has."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

# A cluster's name becomes part of Application names and label values, which Kubernetes limits to 63 characters;
# 40 leaves room for the longest suffix, the name of a service.
NAME_LENGTH = 40
NAMESPACE_LENGTH = 63
PLACEHOLDERS = ("environment", "cluster", "region")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h))+")


class Section(BaseModel):
    """A mapping of a stack file: camelCase there, snake_case here, no unknown keys, never changed after loading."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        str_min_length=1,
    )


def _dns_label(value: str, longest: int = NAME_LENGTH) -> str:
    if len(value) <= longest and _DNS_LABEL.fullmatch(value):
        return value
    mended = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:longest].strip("-") or "prod-1"
    raise ValueError(
        f'"{value}" is no DNS label: use at most {longest} lower-case letters, digits and "-", e.g. "{mended}"'
    )


def _namespace(value: str) -> str:
    return _dns_label(value, NAMESPACE_LENGTH)


def _template(value: str) -> str:
    for word in PLACEHOLDER.findall(value):
        if word not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"{{{word}}} is no placeholder here: use {known}")
    return value


def _label_value(value: str) -> str:
    if len(value) <= 63 and _LABEL_VALUE.fullmatch(value):
        return value
    raise ValueError(
        f'"{value}" is no label value: use at most 63 letters, digits, "-", "_" and ".", '
        "with a letter or digit at both ends"
    )


def _https(value: str) -> str:
    if not value.startswith("https://"):
        raise ValueError(f'"{value}" is no https:// address')
    return value


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise ValueError(f'"{value}" is no duration: write a number and ms, s, m or h, e.g. "1h"')
    return value


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
Namespace = Annotated[str, AfterValidator(_namespace)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Template = Annotated[str, AfterValidator(_template)]
HttpsUrl = Annotated[str, AfterValidator(_https)]
Duration = Annotated[str, AfterValidator(_duration)]
# Argo CD trims a server's trailing slash; an issuer's is part of its name (Azure's end in one).
ServerUrl = Annotated[HttpsUrl, AfterValidator(lambda value: value.strip().rstrip("/"))]
