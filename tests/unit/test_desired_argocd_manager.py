from __future__ import annotations

from typing import Any

import pytest
import yaml

from stacks.desired import argocd_manager, external_secrets_rights, vault_identity
from stacks.model.fleet import Fleet
from tests.lab_repo import lab_repo

RBAC = "rbac.authorization.k8s.io"
READ, WRITE = ["get", "list", "watch"], ["create", "update", "patch", "delete"]
# API group and plural of every kind that the lab's gitops-config repo may hold.
PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "ExternalSecret": "externalsecrets",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Namespace": "namespaces",
    "NetworkPolicy": "networkpolicies",
    "RoleBinding": "rolebindings",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
}


def _fleet(
    *, external_secrets: dict[str, Any] | None = None, vault: str = "jwt", **spoke: Any
) -> Fleet:
    block = {"name": "prod-1", "environment": "production", "region": "eu-west-1", **spoke}
    return Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com", "auth": vault},
            "externalSecrets": {"chart": "chart", **(external_secrets or {})},
            "argoRollouts": {"manifest": "install.yaml"},
            "spokes": [block],
        }
    )


def _rules(
    *, external_secrets: dict[str, Any] | None = None, vault: str = "jwt", **spoke: Any
) -> list[argocd_manager.RbacRule]:
    fleet = _fleet(external_secrets=external_secrets, vault=vault, **spoke)
    return argocd_manager.rules(fleet, fleet.spokes[0])


def _may(
    rules: list[argocd_manager.RbacRule], verb: str, group: str, resource: str, name: str = ""
) -> bool:
    """What the API server's RBAC authorizer answers."""

    def covers(rule: argocd_manager.RbacRule) -> bool:
        named = rule.get("resourceNames")
        return (
            bool({verb, "*"} & set(rule["verbs"]))
            and bool({group, "*"} & set(rule.get("apiGroups", ())))
            and bool({resource, "*"} & set(rule.get("resources", ())))
            and (not named or name in named)
        )

    return any(covers(rule) for rule in rules)


def _objects() -> list[dict[str, Any]]:
    found = [
        one
        for path in sorted(lab_repo().rglob("*.yaml"))
        for one in yaml.safe_load_all(path.read_text())
        if one and one.get("kind") not in ("Kustomization", None)
    ]
    assert len(found) > 20, "the lab's gitops-config repo is where it was"
    return found


def test_enough_for_the_labs_gitops_config_repo() -> None:
    rules = _rules()
    for one in _objects():
        group = one["apiVersion"].rpartition("/")[0]
        for verb in [*READ, *WRITE]:
            assert _may(rules, verb, group, PLURALS[one["kind"]]), (verb, one["kind"])


def test_it_has_all_that_the_repo_hands_out() -> None:
    rules = _rules()
    roles = [one for one in _objects() if one["kind"] == "ClusterRole"]
    assert [one["metadata"]["name"] for one in roles] == ["fleet-read-only"]
    for rule in roles[0]["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    assert _may(rules, verb, group, resource), (verb, group, resource)


@pytest.mark.parametrize("spoke", [{}, {"rbac": {"namespaces": ["shop"]}}])
@pytest.mark.parametrize(
    ("verb", "group", "resource"),
    [
        *((verb, "", "secrets") for verb in [*READ, *WRITE]),
        ("create", "", "serviceaccounts/token"),
        ("create", "", "pods/exec"),
        ("create", "", "pods/portforward"),
        ("get", "", "pods/exec"),
        ("create", "", "pods"),
        ("impersonate", "", "serviceaccounts"),
        *(
            (verb, RBAC, kind)
            for verb in ("escalate", "bind")
            for kind in ("clusterroles", "roles")
        ),
        ("create", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("create", "apiextensions.k8s.io", "customresourcedefinitions"),
        ("patch", "external-secrets.io", "clustersecretstores"),
        ("patch", "external-secrets.io", "secretstores"),
    ],
)
def test_least_privilege(verb: str, group: str, resource: str, spoke: dict[str, Any]) -> None:
    assert not _may(_rules(**spoke), verb, group, resource)


def test_new_kinds_are_noticed() -> None:
    for verb in READ:
        assert _may(_rules(), verb, "apiextensions.k8s.io", "customresourcedefinitions")
        assert _may(_rules(), verb, "apiregistration.k8s.io", "apiservices")


def test_in_namespaces_only() -> None:
    rules = _rules(rbac={"namespaces": ["shop"]}, delivery="argocd")
    assert _may(rules, "create", "apps", "deployments")
    assert _may(rules, "get", "", "namespaces"), "CreateNamespace=true looks at its own"
    assert not _may(rules, "create", "", "namespaces")
    for kind in ("clusterroles", "clusterrolebindings"):
        assert not any(_may(rules, verb, RBAC, kind) for verb in [*READ, *WRITE, "bind"])
    assert not _may(rules, "get", "", "nodes")
    assert not _may(rules, "create", "external-secrets.io", "clustersecretstores")


def test_cluster_admin_only_when_asked_for() -> None:
    everything = _rules(rbac={"clusterAdmin": True})
    assert everything == [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]


@pytest.mark.parametrize("namespaces", [[], ["shop"]])
def test_rules_of_the_stack_file_are_added(namespaces: list[str]) -> None:
    kafka = {"apiGroups": ["kafka.strimzi.io"], "resources": ["kafkatopics"], "verbs": ["*"]}
    one_secret = {"resources": ["secrets"], "verbs": ["get"], "resourceNames": ["motd"]}
    rules = _rules(rbac={"rules": [kafka, one_secret], "namespaces": namespaces})
    assert rules[-2:] == [kafka, {**one_secret, "apiGroups": [""]}]
    assert len(rules) > 2
    assert _may(rules, "get", "", "secrets", "motd")
    assert not _may(rules, "get", "", "secrets", "other")


def test_delivery_by_argocd() -> None:
    quiet = {"values": {"webhook": {"create": False}, "certController": {"create": False}}}
    rules = _rules(delivery="argocd", external_secrets=quiet)
    mine = external_secrets_rights
    for verb in ("create", "patch"):
        assert _may(rules, verb, "apiextensions.k8s.io", "customresourcedefinitions")
        assert _may(rules, verb, "external-secrets.io", "clustersecretstores")
        assert _may(rules, verb, "generators.external-secrets.io", "passwords")
    assert not _may(rules, "delete", "apiextensions.k8s.io", "customresourcedefinitions")
    for name in (mine.ROLE, mine.VIEW_ROLE, mine.EDIT_ROLE):
        assert _may(rules, "escalate", RBAC, "clusterroles", name)
    assert _may(rules, "bind", RBAC, "clusterroles", mine.ROLE)
    for verb in ("escalate", "bind"):
        assert _may(rules, verb, RBAC, "roles", mine.TOKEN_ROLE)
        assert not _may(rules, verb, RBAC, "clusterroles", "cluster-admin")
        assert not _may(rules, verb, RBAC, "roles", "another")
    assert not _may(rules, "bind", RBAC, "clusterroles", "system:auth-delegator")
    assert not any(_may(rules, verb, "", "secrets", "any") for verb in READ)
    assert not _may(
        rules, "create", "admissionregistration.k8s.io", "validatingwebhookconfigurations"
    )


def test_delivery_with_the_charts_webhook() -> None:
    rules = _rules(delivery="argocd")
    webhooks = ("admissionregistration.k8s.io", "validatingwebhookconfigurations")
    assert _may(rules, "patch", *webhooks, "secretstore-validate")
    assert not _may(rules, "patch", *webhooks, "another")
    assert _may(rules, "patch", "", "secrets", "external-secrets-webhook")
    assert not _may(rules, "get", "", "secrets", "another")
    assert _may(rules, "bind", RBAC, "clusterroles", "external-secrets-cert-controller")


def test_delivery_where_vault_asks_the_cluster() -> None:
    rules = _rules(delivery="argocd", vault="kubernetes")
    assert _may(rules, "bind", RBAC, "clusterroles", "system:auth-delegator")
    assert not _may(rules, "escalate", RBAC, "clusterroles", "system:auth-delegator")


def test_every_role_that_argocd_delivers_can_be_made_and_bound() -> None:
    """The objects themselves, against the names that the rules allow."""
    found = []
    for method in ("jwt", "kubernetes"):
        block = {"name": "prod-1", "environment": "production", "region": "r", "delivery": "argocd"}
        fleet = Fleet.model_validate(
            {
                "hub": {"context": "hub"},
                "gitops": {"repo": "https://git.example.com/gitops-config.git"},
                "vault": {"address": "https://vault.example.com", "auth": method},
                "externalSecrets": {"chart": "chart"},
                "spokes": [block],
            }
        )
        spoke = fleet.spokes[0]
        rules = argocd_manager.rules(fleet, spoke)
        who = vault_identity.of_spoke(fleet, spoke)
        for one in external_secrets_rights.objects(fleet, who):
            found.append(one["kind"])
            if "rules" in one:
                kind = f"{one['kind'].lower()}s"
                assert _may(rules, "escalate", RBAC, kind, one["metadata"]["name"]), one
            else:
                ref = one["roleRef"]
                assert _may(rules, "bind", RBAC, f"{ref['kind'].lower()}s", ref["name"]), one
    assert {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"} <= set(found)


def _pairs(*namespaces: str) -> list[tuple[str, str | None, str, str | None]]:
    """Kind and namespace of each role and of its binding."""
    fleet = _fleet(rbac={"namespaces": list(namespaces)})
    found = []
    for role, binding in argocd_manager.roles(fleet, fleet.spokes[0]):
        assert role["rules"] == argocd_manager.rules(fleet, fleet.spokes[0])
        assert (role["metadata"]["name"], binding["metadata"]["name"]) == (
            "argocd-manager-role",
            "argocd-manager-role-binding",
        )
        reference = {"apiGroup": RBAC, "kind": role["kind"], "name": "argocd-manager-role"}
        assert binding["roleRef"] == reference
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "argocd-manager", "namespace": "kube-system"}
        ]
        places = (one["metadata"].get("namespace") for one in (role, binding))
        found.append((role["kind"], next(places), binding["kind"], next(places)))
    return found


def test_one_role_for_the_cluster_or_one_in_each_namespace() -> None:
    assert _pairs() == [("ClusterRole", None, "ClusterRoleBinding", None)]
    assert _pairs("team-a", "team-b") == [
        ("Role", "team-a", "RoleBinding", "team-a"),
        ("Role", "team-b", "RoleBinding", "team-b"),
    ]


def test_labels_are_those_of_who_makes_it_and_else_there_are_none() -> None:
    fleet, labels = _fleet(), {"a": "b"}
    for given in (labels, None):
        ((role, binding),) = argocd_manager.roles(fleet, fleet.spokes[0], given)
        who = argocd_manager.of(fleet, fleet.spokes[0])
        for one in (argocd_manager.account(who, given), role, binding):
            assert one["metadata"].get("labels") == given
            assert one["metadata"]["name"].startswith("argocd-manager")


def test_the_token_is_the_account_s() -> None:
    who = argocd_manager.of(fleet := _fleet(), fleet.spokes[0])
    account, token = argocd_manager.account(who), argocd_manager.token(who)
    assert token["metadata"]["namespace"] == account["metadata"]["namespace"]
    assert token["metadata"]["annotations"] == {
        "kubernetes.io/service-account.name": account["metadata"]["name"]
    }


@pytest.mark.parametrize("more", [{}, {"namespaces": ["shop"]}])
def test_in_a_namespace_of_the_stack_file_s(more: dict[str, Any]) -> None:
    fleet = _fleet(rbac={"accountNamespace": "argocd-access", **more})
    spoke = fleet.spokes[0]
    who = argocd_manager.of(fleet, spoke)
    made = (argocd_manager.account(who), argocd_manager.token(who))
    assert {one["metadata"]["namespace"] for one in made} == {"argocd-access"}
    for _, binding in argocd_manager.roles(fleet, spoke):
        assert [one["namespace"] for one in binding["subjects"]] == ["argocd-access"]


def test_kinds_of_argo_rollouts_with_the_addon_only() -> None:
    addon = {"addons": ["argo_rollouts"]}
    for spoke in (addon, {**addon, "rbac": {"namespaces": ["shop"]}}):
        rules = _rules(**spoke)
        for verb in [*READ, *WRITE]:
            assert _may(rules, verb, "argoproj.io", "rollouts")
            assert _may(rules, verb, "argoproj.io", "analysistemplates")
        assert _may(rules, "patch", "argoproj.io", "rollouts/status")
        for kind in ("analysisruns", "experiments"):
            assert all(_may(rules, verb, "argoproj.io", kind) for verb in READ)
            assert not any(_may(rules, verb, "argoproj.io", kind) for verb in WRITE)
    assert _may(_rules(**addon), "watch", "argoproj.io", "clusteranalysistemplates")
    assert not _may(rules, "watch", "argoproj.io", "clusteranalysistemplates"), "in no namespace"
    assert not _may(_rules(**addon), "create", "argoproj.io", "clusteranalysistemplates")
    assert not _may(_rules(**addon), "create", "argoproj.io", "applications")
    assert not any(_may(_rules(), verb, "argoproj.io", "rollouts") for verb in READ)
