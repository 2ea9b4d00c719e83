"""What the hub's Argo CD may do on a spoke, as Kubernetes RBAC rules.

Pure: the program and `fleet credential` make it so. The names are those of `argocd cluster add`, kept for parity.
docs/adr/0011 says why these rules, and what they don't keep away.
"""

from __future__ import annotations

from typing import Any

from stacks import external_secrets_rights as external_secrets
from stacks.external_secrets_values import chart_values
from stacks.model import Fleet
from stacks.spoke import Rule, Spoke

ACCOUNT = "argocd-manager"
TOKEN = "argocd-manager-token"  # noqa: S105 - the name of a Secret
ROLE = "argocd-manager-role"
BINDING = "argocd-manager-role-binding"
NAMESPACE = "kube-system"

RbacRule = dict[str, Any]
"""A rule as the Kubernetes API has it: apiGroups, resources, verbs, resourceNames, nonResourceURLs."""

READ = ["get", "list", "watch"]
WRITE = [*READ, "create", "update", "patch", "delete"]
CLUSTER_ADMIN: list[RbacRule] = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
_RBAC = "rbac.authorization.k8s.io"


def rules(fleet: Fleet, spoke: Spoke) -> list[RbacRule]:
    """What `argocd-manager` may do on `spoke`: least privilege, and what the stack file adds.

    For a ClusterRole, or, where the stack file names namespaces, for a Role in each of them.
    """
    rbac = fleet.rbac_of(spoke)
    if rbac.namespaces:
        return [*_IN_NAMESPACES, _OWN_NAMESPACE, *map(_added, rbac.rules)]
    if rbac.cluster_admin:
        return CLUSTER_ADMIN
    found = [*_IN_NAMESPACES, *_IN_CLUSTER]
    if fleet.delivery_of(spoke) == "argocd":
        found += _delivery(fleet, spoke)
    return [*found, *map(_added, rbac.rules)]


def _rule(group: str, resources: list[str], verbs: list[str], *names: str) -> RbacRule:
    found: RbacRule = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return {**found, "resourceNames": list(names)} if names else found


def _added(rule: Rule) -> RbacRule:
    found: RbacRule = {
        "apiGroups": rule.api_groups,
        "resources": rule.resources,
        "verbs": rule.verbs,
    }
    return {**found, "resourceNames": rule.resource_names} if rule.resource_names else found


# What workloads are made of, and what is seen of them. Secrets come from Vault, never from git.
_IN_NAMESPACES = [
    _rule(
        "",
        [
            "configmaps",
            "limitranges",
            "persistentvolumeclaims",
            "resourcequotas",
            "serviceaccounts",
            "services",
        ],
        WRITE,
    ),
    _rule(
        "",
        ["endpoints", "events", "pods", "pods/log", "podtemplates", "replicationcontrollers"],
        READ,
    ),
    *(
        _rule(group, ["*"], WRITE)
        for group in ("apps", "autoscaling", "batch", "networking.k8s.io", "policy")
    ),
    _rule(external_secrets.GROUP, ["externalsecrets"], WRITE),
    _rule(external_secrets.GROUP, ["secretstores"], READ),
    _rule("discovery.k8s.io", ["endpointslices"], READ),
    _rule("events.k8s.io", ["events"], READ),
    # Without `escalate` and `bind`: it can hand out what it has itself, and no more.
    _rule(_RBAC, ["rolebindings", "roles"], WRITE),
]
# A Role reaches its own namespace's object, which `CreateNamespace=true` looks at before each sync.
_OWN_NAMESPACE = _rule("", ["namespaces"], ["get"])
_IN_CLUSTER = [
    _rule("", ["namespaces"], WRITE),
    _rule("", ["nodes", "persistentvolumes"], READ),
    _rule(_RBAC, ["clusterrolebindings", "clusterroles"], WRITE),
    # By these two Argo CD notices that a new kind is served.
    _rule("apiextensions.k8s.io", ["customresourcedefinitions"], READ),
    _rule("apiregistration.k8s.io", ["apiservices"], READ),
    _rule(external_secrets.GROUP, ["clusterexternalsecrets", "clustersecretstores"], READ),
    _rule("scheduling.k8s.io", ["priorityclasses"], READ),
    _rule("storage.k8s.io", ["storageclasses"], READ),
]

# Names that External Secrets' chart gives, released as `external-secrets`.
_WEBHOOK_SECRET = "external-secrets-webhook"  # noqa: S105  # a name
_WEBHOOKS = ("externalsecret-validate", "secretstore-validate")
_CERT_CONTROLLER_ROLE = "external-secrets-cert-controller"


def _delivery(fleet: Fleet, spoke: Spoke) -> list[RbacRule]:
    """What it takes on top to deliver External Secrets itself.

    Server-side apply names the object in its address, so `escalate` and `bind` can be held to a few names.
    """
    bound = [external_secrets.ROLE]
    escalated = [external_secrets.ROLE, external_secrets.VIEW_ROLE, external_secrets.EDIT_ROLE]
    found = [
        # Never to be deleted: every ExternalSecret would go with them.
        _rule("apiextensions.k8s.io", ["customresourcedefinitions"], ["create", "update", "patch"]),
        _rule(external_secrets.GROUP, ["*"], WRITE),
        _rule(external_secrets.GENERATORS, ["*"], WRITE),
        _rule(_RBAC, ["roles"], ["escalate", "bind"], external_secrets.TOKEN_ROLE),
    ]
    values = chart_values(fleet)
    if _made(values, "webhook"):
        found += [
            _rule("", ["secrets"], WRITE, _WEBHOOK_SECRET),
            _rule("admissionregistration.k8s.io", ["validatingwebhookconfigurations"], READ),
            _rule(
                "admissionregistration.k8s.io",
                ["validatingwebhookconfigurations"],
                WRITE,
                *_WEBHOOKS,
            ),
        ]
    if _made(values, "certController"):
        escalated.append(_CERT_CONTROLLER_ROLE)
        bound.append(_CERT_CONTROLLER_ROLE)
    if fleet.vault_auth_of(spoke) == "kubernetes":
        bound.append("system:auth-delegator")
    return [
        *found,
        _rule(_RBAC, ["clusterroles"], ["escalate"], *escalated),
        _rule(_RBAC, ["clusterroles"], ["bind"], *bound),
    ]


def _made(values: dict[str, Any], part: str) -> bool:
    """Whether the chart makes this part of External Secrets, as it does unless told otherwise."""
    section = values.get(part)
    return not isinstance(section, dict) or section.get("create", True) is not False
