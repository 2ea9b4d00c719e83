"""From the inputs of the last deployment to those of this one."""

from __future__ import annotations

from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind

from lab.plugins.vault.schema import Field, Plain, Schema
from lab.plugins.vault.values import has_unknown

_KINDS = {
    ("ADD", False): PropertyDiffKind.ADD,
    ("ADD", True): PropertyDiffKind.ADD_REPLACE,
    ("DELETE", False): PropertyDiffKind.DELETE,
    ("DELETE", True): PropertyDiffKind.DELETE_REPLACE,
    ("UPDATE", False): PropertyDiffKind.UPDATE,
    ("UPDATE", True): PropertyDiffKind.UPDATE_REPLACE,
}


def compare(schema: Schema, old: Plain, new: Plain) -> DiffResponse:
    """Return what changes, and whether it takes a replacement, without asking Vault.

    The replacement deletes first where old and new object would bear the same name.
    """
    changes = {
        name: _change(field, old.get(name), new.get(name))
        for name, field in schema.inputs().items()
    }
    changed = {name: kind for name, kind in changes.items() if kind}
    replaces = [name for name in changed if schema.fields[name].replace]
    same_name = not any(name in changed for name in schema.identity)
    return DiffResponse(
        changes=bool(changed),
        replaces=replaces,
        delete_before_replace=bool(replaces) and same_name,
        diffs=list(changed),
        detailed_diff={
            name: PropertyDiff(_KINDS[kind, name in replaces], input_diff=True)
            for name, kind in changed.items()
        },
    )


def _change(field: Field, old: object, new: object) -> str:
    if new is None:
        return "" if field.computed or field.is_unset(old) else "DELETE"
    if has_unknown(new):
        return "ADD" if old is None else "UPDATE"
    if field.same(old, new):
        return ""
    return "ADD" if old is None else "UPDATE"
