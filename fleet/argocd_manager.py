"""Where the objects of `argocd-manager` are in a spoke's API, and which of them are left over. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stacks.desired import argocd_manager
from stacks.desired.objects import RBAC, KubernetesObject, metadata
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

MANAGER = "fleet"
"""The field manager under which the command applies objects, and what they say that they are managed by."""
API = f"/apis/{RBAC}/v1"
LABELS = {"app.kubernetes.io/managed-by": MANAGER}

# Kind → plural, and the name that Fleet's own have.
_KINDS = {
    "ClusterRole": ("clusterroles", argocd_manager.ROLE),
    "ClusterRoleBinding": ("clusterrolebindings", argocd_manager.BINDING),
    "Role": ("roles", argocd_manager.ROLE),
    "RoleBinding": ("rolebindings", argocd_manager.BINDING),
}


@dataclass(frozen=True)
class Object:
    """One object on a spoke: where it is in the API, what to call it, and what it shall be."""

    path: str
    title: str
    document: KubernetesObject


def account(fleet: Fleet, spoke: Spoke) -> Object:
    """The ServiceAccount."""
    who = argocd_manager.of(fleet, spoke)
    path = f"/api/v1/namespaces/{who.namespace}/serviceaccounts/{who.name}"
    return _placed(path, argocd_manager.account(who, LABELS))


def roles(fleet: Fleet, spoke: Spoke) -> list[Object]:
    """The role and its binding: for the whole cluster, or one pair in each of the namespaces it is limited to."""
    return [
        _placed(_path(one["kind"], one["metadata"].get("namespace", "")), one)
        for pair in argocd_manager.roles(fleet, spoke, LABELS)
        for one in pair
    ]


def leftovers(wanted: list[Object], found: dict[str, list[dict[str, Any]]]) -> list[Object]:
    """Roles and bindings that this command made once and that are no longer wanted.

    `found` has every object of each kind in `listed()`, by the path of its list.
    """
    keep = {one.path for one in wanted}
    left = []
    for kind, (plural, name) in _KINDS.items():
        for item in found.get(f"{API}/{plural}", ()):
            there = item["metadata"]
            namespace = there.get("namespace", "")
            path = _path(kind, namespace)
            ours = (there.get("labels") or {}).items() >= LABELS.items()
            if there["name"] == name and ours and path not in keep:
                left.append(_placed(path, {"kind": kind, "metadata": metadata(name, namespace)}))
    return left


def listed() -> list[str]:
    """The paths of the lists in which leftovers may be."""
    return [f"{API}/{plural}" for plural, _ in _KINDS.values()]


def _path(kind: str, namespace: str) -> str:
    plural, name = _KINDS[kind]
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{API}{inside}/{plural}/{name}"


def _placed(path: str, document: KubernetesObject) -> Object:
    about = document["metadata"]
    place = "/".join(filter(None, (about.get("namespace"), about["name"])))
    return Object(path, f"{document['kind']} {place}", document)
