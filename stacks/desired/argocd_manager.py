"""`argocd-manager`: whom the hub's Argo CD comes as on a spoke, and what it may do there, as Kubernetes objects.

Pure: the program and `fleet credential` make them. The names are those of `argocd cluster add`, kept for parity.
docs/adr/0011 says why these rules, and what they don't keep away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stacks.desired import argo_rollouts
from stacks.desired import external_secrets_rights as external_secrets
from stacks.desired.external_secrets_values import chart_values
from stacks.desired.objects import (
    RBAC,
    READ,
    READ_WRITE,
    KubernetesObject,
    RbacRule,
    ServiceAccount,
    binding,
    metadata,
    role,
    rule,
)
from stacks.model.fleet import Fleet
from stacks.model.spoke import Rule, Spoke

ACCOUNT = "argocd-manager"
TOKEN = "argocd-manager-token"  # noqa: S105 - the name of a Secret
ROLE = "argocd-manager-role"
BINDING = "argocd-manager-role-binding"

ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"
"""The annotation by which a token Secret says whose token it is."""

CLUSTER_ADMIN: list[RbacRule] = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]


def of(fleet: Fleet, spoke: Spoke) -> ServiceAccount:
    """Who it is on `spoke`."""
    return ServiceAccount(ACCOUNT, fleet.rbac_of(spoke).account_namespace)


def account(who: ServiceAccount, labels: Mapping[str, str] | None = None) -> KubernetesObject:
    """The ServiceAccount, in a namespace that is there."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(who.name, who.namespace, labels),
    }


def token(who: ServiceAccount) -> KubernetesObject:
    """The Secret into which the API server writes a token of the ServiceAccount, one without an end."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            **metadata(TOKEN, who.namespace),
            "annotations": {ACCOUNT_ANNOTATION: who.name},
        },
        "type": "kubernetes.io/service-account-token",
    }


def roles(
    fleet: Fleet, spoke: Spoke, labels: Mapping[str, str] | None = None
) -> list[tuple[KubernetesObject, KubernetesObject]]:
    """The role and its binding: for the whole cluster, or one pair in each of the namespaces it is limited to."""
    found = rules(fleet, spoke)
    manager = of(fleet, spoke)
    return [
        (role(ROLE, found, namespace, labels), binding(BINDING, ROLE, manager, namespace, labels))
        for namespace in fleet.rbac_of(spoke).namespaces or [""]
    ]


def rules(fleet: Fleet, spoke: Spoke) -> list[RbacRule]:
    """What `argocd-manager` may do on `spoke`: least privilege, and what the stack file adds.

    For a ClusterRole, or, where the stack file names namespaces, for a Role in each of them.
    """
    rbac = fleet.rbac_of(spoke)
    has_rollouts = fleet.has_argo_rollouts(spoke)
    inside = [*_IN_NAMESPACES, *(argo_rollouts.RIGHTS if has_rollouts else ())]
    if rbac.namespaces:
        return [*inside, _OWN_NAMESPACE, *map(_added, rbac.rules)]
    if rbac.cluster_admin:
        return CLUSTER_ADMIN
    found = [*inside, *_IN_CLUSTER, *(argo_rollouts.CLUSTER_RIGHTS if has_rollouts else ())]
    if fleet.delivery_of(spoke) == "argocd":
        found += _delivery(fleet, spoke)
    return [*found, *map(_added, rbac.rules)]


def _added(one: Rule) -> RbacRule:
    found: RbacRule = {
        "apiGroups": one.api_groups,
        "resources": one.resources,
        "verbs": one.verbs,
    }
    return {**found, "resourceNames": one.resource_names} if one.resource_names else found


# What workloads are made of, and what is seen of them. Secrets come from Vault, never from git.
_IN_NAMESPACES = [
    rule(
        "",
        [
            "configmaps",
            "limitranges",
            "persistentvolumeclaims",
            "resourcequotas",
            "serviceaccounts",
            "services",
        ],
        READ_WRITE,
    ),
    rule(
        "",
        ["endpoints", "events", "pods", "pods/log", "podtemplates", "replicationcontrollers"],
        READ,
    ),
    *(
        rule(group, ["*"], READ_WRITE)
        for group in ("apps", "autoscaling", "batch", "networking.k8s.io", "policy")
    ),
    rule(external_secrets.GROUP, ["externalsecrets"], READ_WRITE),
    rule(external_secrets.GROUP, ["secretstores"], READ),
    rule("discovery.k8s.io", ["endpointslices"], READ),
    rule("events.k8s.io", ["events"], READ),
    # Without `escalate` and `bind`: it can hand out what it has itself, and no more.
    rule(RBAC, ["rolebindings", "roles"], READ_WRITE),
]
# A Role reaches its own namespace's object, which `CreateNamespace=true` looks at before each sync.
_OWN_NAMESPACE = rule("", ["namespaces"], ["get"])
_IN_CLUSTER = [
    rule("", ["namespaces"], READ_WRITE),
    rule("", ["nodes", "persistentvolumes"], READ),
    rule(RBAC, ["clusterrolebindings", "clusterroles"], READ_WRITE),
    # By these two Argo CD notices that a new kind is served.
    rule("apiextensions.k8s.io", ["customresourcedefinitions"], READ),
    rule("apiregistration.k8s.io", ["apiservices"], READ),
    rule(external_secrets.GROUP, ["clusterexternalsecrets", "clustersecretstores"], READ),
    rule("scheduling.k8s.io", ["priorityclasses"], READ),
    rule("storage.k8s.io", ["storageclasses"], READ),
]

# Names that External Secrets' chart gives, released as `external-secrets`.
_WEBHOOK_SECRET = "external-secrets-webhook"  # noqa: S105  # a name
_WEBHOOKS = ("externalsecret-validate", "secretstore-validate")
_CERT_CONTROLLER_ROLE = "external-secrets-cert-controller"
_CHART_CONTROLLER = "external-secrets-controller"
_CHART_ROLES = (
    "external-secrets-view",
    "external-secrets-edit",
    "external-secrets-servicebindings",
)
_CHART_ELECTION = "external-secrets-leaderelection"


def _delivery(fleet: Fleet, spoke: Spoke) -> list[RbacRule]:
    """What it takes on top to deliver External Secrets itself.

    Server-side apply names the object in its address, so `escalate` and `bind` can be held to a few names.
    """
    values = chart_values(fleet)
    bound = [external_secrets.ROLE]
    escalated = [external_secrets.ROLE, external_secrets.VIEW_ROLE, external_secrets.EDIT_ROLE]
    own = [external_secrets.TOKEN_ROLE]
    if values["rbac"]["create"]:
        bound = [_CHART_CONTROLLER]
        escalated = [_CHART_CONTROLLER, *_CHART_ROLES, external_secrets.EDIT_ROLE]
        own.append(_CHART_ELECTION)
    found = [
        # Never to be deleted: every ExternalSecret would go with them.
        rule("apiextensions.k8s.io", ["customresourcedefinitions"], ["create", "update", "patch"]),
        rule(external_secrets.GROUP, ["*"], READ_WRITE),
        rule(external_secrets.GENERATORS, ["*"], READ_WRITE),
        rule(RBAC, ["roles"], ["escalate", "bind"], *own),
    ]
    if _made(values, "webhook"):
        found += [
            rule("", ["secrets"], READ_WRITE, _WEBHOOK_SECRET),
            rule("admissionregistration.k8s.io", ["validatingwebhookconfigurations"], READ),
            rule(
                "admissionregistration.k8s.io",
                ["validatingwebhookconfigurations"],
                READ_WRITE,
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
        rule(RBAC, ["clusterroles"], ["escalate"], *escalated),
        rule(RBAC, ["clusterroles"], ["bind"], *bound),
    ]


def _made(values: dict[str, Any], part: str) -> bool:
    """Whether the chart makes this part of External Secrets, as it does unless told otherwise."""
    section = values.get(part)
    return not isinstance(section, dict) or section.get("create", True) is not False
