"""What changes between two sets of inputs, and whether it needs a new object.

The official plugin compares new inputs with the last known live object, pruned to the old inputs.
Here `read` has put drift into the old inputs already, so inputs are compared with inputs: no
normalisation, no API call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.plugins.kubernetes.cluster import canonical
from lab.plugins.kubernetes.objects import full_kind, is_autonamed, metadata, text
from lab.plugins.kubernetes.wire import UNKNOWN, Object, plain

Path = tuple[str | int, ...]

ADD, DELETE, UPDATE = "ADD", "DELETE", "UPDATE"

_BINDING = ("roleRef",)
_POD_UPDATABLE = frozenset({"activeDeadlineSeconds", "tolerations", "containers", "initContainers"})

# First path elements of fields that the API server won't change in place.
_IMMUTABLE: dict[str, tuple[tuple[str, ...], ...]] = {
    "apps/v1/DaemonSet": (("spec", "selector"),),
    "apps/v1/Deployment": (("spec", "selector"),),
    "apps/v1/StatefulSet": (
        ("spec", "podManagementPolicy"),
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "volumeClaimTemplates"),
    ),
    "batch/v1/Job": (
        ("spec", "completions"),
        ("spec", "parallelism"),
        ("spec", "selector"),
        ("spec", "template"),
    ),
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": (_BINDING,),
    "rbac.authorization.k8s.io/v1/RoleBinding": (_BINDING,),
    "storage.k8s.io/v1/StorageClass": (("parameters",), ("provisioner",)),
    "v1/PersistentVolume": (("spec", "persistentVolumeSource"), ("spec", "csi"), ("spec", "nfs")),
    "v1/PersistentVolumeClaim": (("spec",),),
    "v1/ResourceQuota": (("spec", "scopes"),),
    "v1/Secret": (("type",),),
    "v1/Service": (("spec", "clusterIP"),),
}
_IDENTITY = (("metadata", "name"), ("metadata", "namespace"), ("kind",))


@dataclass(frozen=True)
class Mutability:
    """The provider options that decide whether changed data replaces the object."""

    config_map: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Difference:
    """The changes by path (`ADD`, `DELETE`, `UPDATE`), and which of them replace the object."""

    changes: dict[str, str] = field(default_factory=dict)
    replaces: list[str] = field(default_factory=list)
    delete_first: bool = False


def compare(
    old: Object, new: Object, *, mutability: Mutability, ignored: Sequence[str] = ()
) -> Difference:
    """Return what changes from the inputs `old` to the inputs `new`."""
    before, after = plain(old), plain(new)
    _same_namespace(before, after)
    immutable = _immutable(after, mutability)
    changes: dict[str, str] = {}
    replaces: list[str] = []
    for path, kind in differences(before, after):
        shown = show(path)
        if any(shown == one or shown.startswith((f"{one}.", f"{one}[")) for one in ignored):
            continue
        changes[shown] = kind
        if any(_starts(path, fixed) for fixed in immutable) or _other_group(path, before, after):
            replaces.append(shown)
    same_name = _identity(before) == _identity(after)
    return Difference(changes, replaces, bool(replaces) and same_name and not is_autonamed(after))


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the paths at which two plain values differ, and how."""
    if old is new or (old == new and isinstance(old, bool) == isinstance(new, bool)):
        return
    if new is UNKNOWN:
        yield path, UPDATE
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in new:
                yield (*path, key), DELETE
            elif key not in old:
                yield (*path, key), ADD
            else:
                yield from differences(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(new):
                yield (*path, index), DELETE
            elif index >= len(old):
                yield (*path, index), ADD
            else:
                yield from differences(old[index], new[index], (*path, index))
    elif not (_number(old) and _number(new) and old == new):
        yield path, UPDATE


def show(path: Path) -> str:
    """Return `path` as Pulumi writes it: `spec.ports[0]["a.b"]`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif any(mark in part for mark in '."[]'):
            shown += '["' + part.replace('"', '\\"') + '"]'
        else:
            shown += f".{part}" if shown else part
    return shown


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_namespace(before: Object, after: Object) -> None:
    """No namespace and `default` are one and the same."""
    ours, theirs = metadata(before), metadata(after)
    if {text(ours.get("namespace")), text(theirs.get("namespace"))} == {"", "default"}:
        for meta in (ours, theirs):
            meta.pop("namespace", None)
        before["metadata"], after["metadata"] = ours, theirs


def _immutable(obj: Object, mutability: Mutability) -> tuple[tuple[str, ...], ...]:
    kind = full_kind(obj)
    fixed = (*_IDENTITY, *_IMMUTABLE.get(kind, ()))
    sealed = obj.get("immutable") is True
    if kind == "v1/ConfigMap" and (sealed or not mutability.config_map):
        fixed += (("data",), ("binaryData",))
    if kind == "v1/Secret" and (sealed or not mutability.secret):
        fixed += (("data",), ("stringData",))
    if kind == "v1/Pod":
        spec = obj.get("spec")
        keys = spec if isinstance(spec, dict) else {}
        fixed += tuple(("spec", key) for key in keys if key not in _POD_UPDATABLE)
    return fixed


def _starts(path: Path, fixed: tuple[str, ...]) -> bool:
    # A change above a fixed field (all of `spec` gone, say) touches it as well.
    length = min(len(path), len(fixed))
    return path[:length] == fixed[:length] and (len(path) >= len(fixed) or fixed != ("kind",))


def _other_group(path: Path, before: Object, after: Object) -> bool:
    if path != ("apiVersion",):
        return False
    groups = [canonical(text(one.get("apiVersion"))).rpartition("/")[0] for one in (before, after)]
    return groups[0] != groups[1]


def _identity(obj: Object) -> tuple[str, str]:
    meta = metadata(obj)
    return text(meta.get("name")), text(meta.get("namespace"))
