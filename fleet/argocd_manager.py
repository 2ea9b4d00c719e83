"""The account that the hub's Argo CD uses on a spoke, and its rights, as Kubernetes objects. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stacks import Fleet, rights
from stacks.spoke import Spoke

MANAGER = "fleet"
"""The field manager under which the command applies objects, and what they say that they are managed by."""
RBAC = "/apis/rbac.authorization.k8s.io/v1"
LABELS = {"app.kubernetes.io/managed-by": MANAGER}

_GROUP = "rbac.authorization.k8s.io"
# Kind → plural, and the name that Fleet's own have.
_KINDS = {
    "ClusterRole": ("clusterroles", rights.ROLE),
    "ClusterRoleBinding": ("clusterrolebindings", rights.BINDING),
    "Role": ("roles", rights.ROLE),
    "RoleBinding": ("rolebindings", rights.BINDING),
}


@dataclass(frozen=True)
class Object:
    """One object on a spoke: where it is in the API, what to call it, and what it shall be."""

    path: str
    title: str
    document: dict[str, Any]


def account() -> Object:
    """The ServiceAccount."""
    base = f"/api/v1/namespaces/{rights.NAMESPACE}/serviceaccounts"
    return Object(
        f"{base}/{rights.ACCOUNT}",
        f"ServiceAccount {rights.NAMESPACE}/{rights.ACCOUNT}",
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": rights.ACCOUNT,
                "namespace": rights.NAMESPACE,
                "labels": LABELS,
            },
        },
    )


def rights_of(fleet: Fleet, spoke: Spoke) -> list[Object]:
    """The role and its binding: for the whole cluster, or one pair in each of the namespaces it is limited to."""
    rules = rights.rules(fleet, spoke)
    namespaces = fleet.rbac_of(spoke).namespaces
    role, binding = ("Role", "RoleBinding") if namespaces else ("ClusterRole", "ClusterRoleBinding")
    subject = {"kind": "ServiceAccount", "name": rights.ACCOUNT, "namespace": rights.NAMESPACE}
    reference = {"apiGroup": _GROUP, "kind": role, "name": rights.ROLE}
    made = []
    for namespace in namespaces or [""]:
        made.append(_rbac(role, namespace, {"rules": rules}))
        made.append(_rbac(binding, namespace, {"roleRef": reference, "subjects": [subject]}))
    return made


def leftovers(wanted: list[Object], found: dict[str, list[dict[str, Any]]]) -> list[Object]:
    """Roles and bindings that this command made once and that are no longer wanted.

    `found` has every object of each kind in `listed()`, by the path of its list.
    """
    keep = {one.path for one in wanted}
    left = []
    for kind, (plural, name) in _KINDS.items():
        for item in found.get(f"{RBAC}/{plural}", ()):
            metadata = item["metadata"]
            one = _rbac(kind, metadata.get("namespace", ""), {})
            ours = (metadata.get("labels") or {}).items() >= LABELS.items()
            if metadata["name"] == name and ours and one.path not in keep:
                left.append(one)
    return left


def listed() -> list[str]:
    """The paths of the lists in which leftovers may be."""
    return [f"{RBAC}/{plural}" for plural, _ in _KINDS.values()]


def _rbac(kind: str, namespace: str, body: dict[str, Any]) -> Object:
    plural, name = _KINDS[kind]
    inside = f"/namespaces/{namespace}" if namespace else ""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": LABELS}
    return Object(
        f"{RBAC}{inside}/{plural}/{name}",
        f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}",
        {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, **body},
    )
