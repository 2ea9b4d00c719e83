"""What External Secrets may do on a cluster, as Kubernetes objects. Pure: components or Argo CD make them.

They stand in for those of the chart, which let it take a token of any ServiceAccount; where the chart can be told not
to, they add what it then lacks. See docs/adr/0014 and 0024.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.desired import vault_identity
from stacks.desired.external_secrets_chart import known
from stacks.desired.external_secrets_values import chart_values
from stacks.desired.objects import (
    RBAC,
    READ,
    KubernetesObject,
    RbacRule,
    ServiceAccount,
    binding,
    role,
    rule,
)
from stacks.desired.vault_identity import Identity
from stacks.model.fleet import Fleet

ROLE = "fleet-external-secrets"
VIEW_ROLE = f"{ROLE}-view"
EDIT_ROLE = f"{ROLE}-edit"
TOKEN_ROLE = f"{ROLE}-token"
DELEGATOR_BINDING = f"{ROLE}-auth-delegator"

GROUP = "external-secrets.io"
GENERATORS = "generators.external-secrets.io"
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
# After the chart, whose webhook checks every store, and without asking for a kind that the chart only brings.
_WITH_ARGOCD = {
    "argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true",
    "argocd.argoproj.io/sync-wave": "1",
}


def objects(fleet: Fleet, who: Identity, *, install: bool = True) -> list[KubernetesObject]:
    """The rights of External Secrets on the cluster that is `who` to Vault.

    Its controller's own rights belong to an installation by chart (`install`) as far as that does not make them.
    The right to have tokens reviewed belongs to Kubernetes auth, whoever installed it.
    """
    settings = fleet.external_secrets
    assert settings
    account = ServiceAccount(who.account, who.account_namespace)
    found: list[KubernetesObject] = []
    if install and settings.chart:
        rbac = chart_values(fleet)["rbac"]
        if not rbac["create"]:
            found += [
                role(ROLE, controller_rules(fleet)),
                binding(ROLE, ROLE, account),
                *_own(account, [_own_tokens(account), *_ELECTION]),
                _aggregated(VIEW_ROLE, _VIEW_RULES, "view", "edit", "admin"),
                _aggregated(EDIT_ROLE, _EDIT_RULES, "edit", "admin"),
            ]
        elif known(settings).token_switch and not rbac["serviceAccountTokenCreate"]:
            found += [
                *_own(account, [_own_tokens(account)]),
                _aggregated(EDIT_ROLE, _EDIT_RULES, "edit", "admin"),
            ]
    if who.method == "kubernetes":
        # Vault keeps no reviewer's token: each token that logs in is reviewed with itself.
        found.append(binding(DELEGATOR_BINDING, "system:auth-delegator", account))
    return found


def delivered(fleet: Fleet, who: Identity) -> list[KubernetesObject]:
    """The rights and then the stores of a cluster, as Argo CD is to make them together with the chart.

    Raises OSError where `fleet:vault.caFile` can't be read.
    """
    stores = [
        {**store, "metadata": {**store["metadata"], "annotations": dict(_WITH_ARGOCD)}}
        for store in vault_identity.stores(fleet, who)
    ]
    return [*objects(fleet, who), *stores]


# As the chart's, but for `serviceaccounts/token`, and with every kind of its own groups, so that a version may add one.
_CONTROLLER_RULES = [
    rule(GROUP, ["*"], [*READ, "update", "patch"]),
    rule(GROUP, ["externalsecrets", "pushsecrets"], ["create", "delete"]),
    rule(GENERATORS, ["*"], READ),
    rule(GENERATORS, ["generatorstates"], WRITE),
    rule("", ["serviceaccounts", "namespaces", "configmaps"], READ),
    rule("", ["secrets"], [*READ, "create", "update", "delete", "patch"]),
    rule("", ["events"], ["create", "patch"]),
    rule("events.k8s.io", ["events"], ["create", "patch"]),
]


def controller_rules(fleet: Fleet) -> list[RbacRule]:
    """What its controller may do in the whole cluster."""
    settings = fleet.external_secrets
    assert settings
    values, found = chart_values(fleet), [*_CONTROLLER_RULES]
    if known(settings).marks_namespaces and values.get("processClusterExternalSecret") is not False:
        found.append(rule("", ["namespaces"], ["update", "patch"]))
    return [*found, *_targets(values.get("genericTargets"))]


def _targets(given: Any) -> Iterator[RbacRule]:
    """What the stack file's values let it write besides Secrets, as the chart reads them (1.0 and later)."""
    if not isinstance(given, Mapping) or not given.get("enabled"):
        return
    yield rule("", ["configmaps"], ["create", "update", "delete", "patch"])
    for one in given.get("resources") or ():
        if isinstance(one, Mapping):
            resources, verbs = (list(one.get(key) or ()) for key in ("resources", "verbs"))
            yield rule(str(one.get("apiGroup", "")), resources, verbs)


_VIEW_RULES = [rule(GROUP, ["*"], READ), rule(GENERATORS, ["*"], READ)]
_EDIT_RULES = [
    rule(GROUP, ["externalsecrets", "secretstores", "pushsecrets"], WRITE),
    rule(GENERATORS, ["*"], WRITE),
]
_LEASE = "external-secrets-controller"


_ELECTION = [
    rule("", ["configmaps"], ["get", "update", "patch"], _LEASE),
    rule("", ["configmaps"], ["create"]),
    rule("coordination.k8s.io", ["leases"], ["get", "create", "update", "patch"]),
]


def _own_tokens(account: ServiceAccount) -> RbacRule:
    """To take tokens of its own ServiceAccount."""
    return rule("", ["serviceaccounts/token"], ["create"], account.name)


def _own(account: ServiceAccount, rules: list[RbacRule]) -> list[KubernetesObject]:
    """What it may do in its own namespace."""
    return [
        role(TOKEN_ROLE, rules, account.namespace),
        binding(TOKEN_ROLE, TOKEN_ROLE, account, account.namespace),
    ]


def _aggregated(name: str, rules: list[RbacRule], *into: str) -> KubernetesObject:
    """A role that Kubernetes adds to its own roles `into`, as the chart does, for people who use the cluster."""
    labels = {f"{RBAC}/aggregate-to-{one}": "true" for one in into}
    return role(name, rules, labels=labels)
