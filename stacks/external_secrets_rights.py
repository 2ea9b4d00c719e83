"""What External Secrets may do on a cluster, as Kubernetes objects. Pure: components or Argo CD make them.

They stand in for those of the chart, which let it take a token of any ServiceAccount: see docs/adr/0014.
"""

from __future__ import annotations

from typing import Any

from stacks import identity
from stacks.external_secrets_values import chart_values
from stacks.identity import Identity
from stacks.model import Fleet

ROLE = "fleet-external-secrets"
VIEW_ROLE = f"{ROLE}-view"
EDIT_ROLE = f"{ROLE}-edit"
TOKEN_ROLE = f"{ROLE}-token"
DELEGATOR_BINDING = f"{ROLE}-auth-delegator"

KubernetesObject = dict[str, Any]
"""A Kubernetes object as its API has it."""

GROUP = "external-secrets.io"
GENERATORS = "generators.external-secrets.io"
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
# After the chart, whose webhook checks every store, and without asking for a kind that the chart only brings.
_WITH_ARGOCD = {
    "argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true",
    "argocd.argoproj.io/sync-wave": "1",
}


def objects(fleet: Fleet, who: Identity, *, install: bool = True) -> list[KubernetesObject]:
    """The rights of External Secrets on the cluster that is `who` to Vault.

    Its controller's own rights belong to an installation by chart (`install`) that does not make them itself. The right
    to have tokens reviewed belongs to Kubernetes auth, whoever installed it.
    """
    settings = fleet.external_secrets
    assert settings
    found: list[KubernetesObject] = []
    if install and settings.chart and not chart_values(fleet)["rbac"]["create"]:
        found += [
            _object("ClusterRole", ROLE, rules=CONTROLLER_RULES),
            _binding("ClusterRoleBinding", ROLE, "ClusterRole", ROLE, who),
            _object("Role", TOKEN_ROLE, who.account_namespace, rules=_own_rules(who.account)),
            _binding("RoleBinding", TOKEN_ROLE, "Role", TOKEN_ROLE, who),
            _aggregated(VIEW_ROLE, _VIEW_RULES, "view", "edit", "admin"),
            _aggregated(EDIT_ROLE, _EDIT_RULES, "edit", "admin"),
        ]
    if who.method == "kubernetes":
        # Vault keeps no reviewer's token: each token that logs in is reviewed with itself.
        found.append(
            _binding(
                "ClusterRoleBinding",
                DELEGATOR_BINDING,
                "ClusterRole",
                "system:auth-delegator",
                who,
            )
        )
    return found


def delivered(fleet: Fleet, who: Identity) -> list[KubernetesObject]:
    """The rights and then the stores of a cluster, as Argo CD is to make them together with the chart.

    Raises OSError where `fleet:vault.caFile` can't be read.
    """
    stores = [
        {**store, "metadata": {**store["metadata"], "annotations": dict(_WITH_ARGOCD)}}
        for store in identity.stores(fleet, who)
    ]
    return [*objects(fleet, who), *stores]


def _rule(
    group: str, resources: list[str], verbs: list[str], names: list[str] | None = None
) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return {**rule, "resourceNames": names} if names else rule


# As the chart's, but for `serviceaccounts/token`, and with every kind of its own groups, so that a version may add one.
CONTROLLER_RULES = [
    _rule(GROUP, ["*"], [*READ, "update", "patch"]),
    _rule(GROUP, ["externalsecrets", "pushsecrets"], ["create", "delete"]),
    _rule(GENERATORS, ["*"], READ),
    _rule(GENERATORS, ["generatorstates"], WRITE),
    _rule("", ["serviceaccounts", "namespaces", "configmaps"], READ),
    _rule("", ["secrets"], [*READ, "create", "update", "delete", "patch"]),
    _rule("", ["events"], ["create", "patch"]),
    _rule("events.k8s.io", ["events"], ["create", "patch"]),
]
"""What its controller may do in the whole cluster."""
_VIEW_RULES = [_rule(GROUP, ["*"], READ), _rule(GENERATORS, ["*"], READ)]
_EDIT_RULES = [
    _rule(GROUP, ["externalsecrets", "secretstores", "pushsecrets"], WRITE),
    _rule(GENERATORS, ["*"], WRITE),
]
_LEASE = "external-secrets-controller"


def _own_rules(account: str) -> list[dict[str, Any]]:
    """What it may do in its own namespace: take tokens of its own ServiceAccount, and elect a leader."""
    return [
        _rule("", ["serviceaccounts/token"], ["create"], [account]),
        _rule("", ["configmaps"], ["get", "update", "patch"], [_LEASE]),
        _rule("", ["configmaps"], ["create"]),
        _rule("coordination.k8s.io", ["leases"], ["get", "create", "update", "patch"]),
    ]


def _object(kind: str, name: str, namespace: str | None = None, **body: Any) -> KubernetesObject:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        **body,
    }


def _binding(kind: str, name: str, role_kind: str, role: str, who: Identity) -> KubernetesObject:
    return _object(
        kind,
        name,
        who.account_namespace if kind == "RoleBinding" else None,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
        subjects=[
            {"kind": "ServiceAccount", "name": who.account, "namespace": who.account_namespace}
        ],
    )


def _aggregated(name: str, rules: list[dict[str, Any]], *into: str) -> KubernetesObject:
    """A role that Kubernetes adds to its own roles `into`, as the chart does, for people who use the cluster."""
    found = _object("ClusterRole", name, rules=rules)
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{one}": "true" for one in into}
    return {**found, "metadata": {**found["metadata"], "labels": labels}}
