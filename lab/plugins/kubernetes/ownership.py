"""Who owns which field: taking over, at the first update, what a plain create left behind.

An object is created by POST, so that `AlreadyExists` is an error; its fields are then owned by
"Update". Server-side apply removes only what its own manager *applied*, so ownership is moved once,
as the official plugin does, with the managers of kubectl and of older releases.
"""

from __future__ import annotations

from typing import Any

from lab.plugins.kubernetes.wire import Object

_TAKEN_OVER = ("kubectl", "before-first-apply", "pulumi-kubernetes", "pulumi-resource-kubernetes")


def taken_over(live: Object, manager: str) -> list[Object] | None:
    """Return `managedFields` with `manager` as the applier; None where nothing has to move."""
    entries: list[Object] = live["metadata"].get("managedFields") or []
    moved = [entry for entry in entries if _ours(entry, manager)]
    if not moved:
        return None
    kept = [entry for entry in entries if entry not in moved and not _applied(entry, manager)]
    applied = [entry for entry in entries if _applied(entry, manager)]
    fields: Object = {}
    for entry in (*applied, *moved):
        fields = _union(fields, entry.get("fieldsV1") or {})
    first = (applied or moved)[-1]
    return [*kept, {**first, "manager": manager, "operation": "Apply", "fieldsV1": fields}]


def patch(live: Object, managed: list[Object]) -> list[Object]:
    """Return the JSON patch that writes `managed`, unless somebody else wrote in between."""
    version = live["metadata"]["resourceVersion"]
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": managed},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]


def _ours(entry: Object, manager: str) -> bool:
    if entry.get("subresource"):
        return False
    name = str(entry.get("manager"))
    if entry.get("operation") == "Update":
        return name == manager or name.startswith(_TAKEN_OVER)
    return name == "kubectl"


def _applied(entry: Object, manager: str) -> bool:
    who = (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "")
    return who == (manager, "Apply", "")


def _union(one: Any, other: Any) -> Any:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    shared = {key: _union(one[key], other[key]) for key in one if key in other}
    return {**one, **other, **shared}
