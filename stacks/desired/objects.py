"""Kubernetes objects as plain mappings, as the API has them, and how those of RBAC are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KubernetesObject = dict[str, Any]
"""A Kubernetes object as its API has it."""
RbacRule = dict[str, Any]
"""A rule as the Kubernetes API has it: apiGroups, resources, verbs, resourceNames, nonResourceURLs."""

RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
READ_WRITE = [*READ, "create", "update", "patch", "delete"]
CRD = "CustomResourceDefinition"


@dataclass(frozen=True)
class ServiceAccount:
    """A ServiceAccount, as what is bound to it names it."""

    name: str
    namespace: str


def rule(group: str, resources: list[str], verbs: list[str], *names: str) -> RbacRule:
    """A rule over `resources` of one API group, or only over those objects of them that have these names."""
    found: RbacRule = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return {**found, "resourceNames": list(names)} if names else found


def role(
    name: str,
    rules: list[RbacRule],
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
) -> KubernetesObject:
    """A ClusterRole, or, with `namespace`, a Role in it."""
    return _object(_kind(namespace), name, namespace, labels, rules=rules)


def binding(
    name: str,
    role_name: str,
    account: ServiceAccount,
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
) -> KubernetesObject:
    """What gives `account` the ClusterRole of this name, or, with `namespace`, the Role in it."""
    return _object(
        f"{_kind(namespace)}Binding",
        name,
        namespace,
        labels,
        roleRef={"apiGroup": RBAC, "kind": _kind(namespace), "name": role_name},
        subjects=[{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    )


def metadata(
    name: str, namespace: str = "", labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The metadata of an object, without what is empty."""
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        **({"labels": dict(labels)} if labels else {}),
    }


def _kind(namespace: str) -> str:
    return "Role" if namespace else "ClusterRole"


def _object(
    kind: str, name: str, namespace: str, labels: Mapping[str, str] | None, **body: Any
) -> KubernetesObject:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata(name, namespace, labels),
        **body,
    }
