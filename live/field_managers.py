"""Who wrote an object: the field managers by which the API server keeps account of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

PULUMI = "pulumi-kubernetes"
"""How the names begin under which Pulumi's Kubernetes plugin applies objects; it makes up the rest."""
FLEET_CRDS = "fleet-crds"
"""The one under which Fleet applies CRDs."""
UNKNOWN = "nobody known"
_APPLIED = re.compile(rf"{PULUMI}(-[0-9a-f]+)?")
# With or without applying, as releases of the plugin did before server-side apply; on Windows it is an `.exe`.
_WROTE = re.compile(r"pulumi(-resource)?-kubernetes(\.exe)?(-[0-9a-f]+)?")

Metadata = Mapping[str, Any]


def applied_by_pulumi(manager: str) -> bool:
    """Whether this is a name under which Pulumi's plugin applies."""
    return bool(_APPLIED.fullmatch(manager))


def written_by_pulumi(metadata: Metadata) -> bool:
    """Whether Pulumi's plugin ever wrote the object."""
    return any(_WROTE.fullmatch(manager) for _, manager, _ in _entries(metadata))


def first(metadata: Metadata) -> str:
    """Who made the object; empty where the API server keeps no account of it, as of one that is only a name."""
    return min(_entries(metadata), default=("", "", {}), key=lambda one: one[0])[1]


def of_the_spec(metadata: Metadata) -> list[str]:
    """Who wrote the object's spec last; several where they did in the same second."""
    wrote = [(time, manager) for time, manager, fields in _entries(metadata) if "f:spec" in fields]
    latest = max((time for time, _ in wrote), default="")
    return [manager for time, manager in wrote if time == latest] or [UNKNOWN]


def _entries(metadata: Metadata) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for entry in metadata.get("managedFields") or ():
        yield str(entry.get("time", "")), str(entry.get("manager", "")), entry.get("fieldsV1") or {}
