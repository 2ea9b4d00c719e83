from __future__ import annotations

import json
from typing import Any

import pytest

from stacks.desired import contract, external_secrets_rights, vault_identity
from stacks.model.fleet import Fleet

RIGHTS = {
    ("ClusterRole", "fleet-external-secrets"),
    ("ClusterRoleBinding", "fleet-external-secrets"),
    ("Role", "fleet-external-secrets-token"),
    ("RoleBinding", "fleet-external-secrets-token"),
    ("ClusterRole", "fleet-external-secrets-view"),
    ("ClusterRole", "fleet-external-secrets-edit"),
}
DELEGATOR = ("ClusterRoleBinding", "fleet-external-secrets-auth-delegator")


def _fleet(auth: str = "jwt", **settings: Any) -> Fleet:
    return Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com", "auth": auth},
            "externalSecrets": {"chart": "chart", **settings},
            "spokes": [{"name": "prod-1", "environment": "production", "region": "eu"}],
        }
    )


def _rights(fleet: Fleet, **options: Any) -> dict[tuple[str, str], dict[str, Any]]:
    who = vault_identity.of_spoke(fleet, fleet.spokes[0])
    found = external_secrets_rights.objects(fleet, who, **options)
    made = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(made) == len(found)
    return made


def test_no_role_of_the_whole_cluster_may_take_a_token_or_bind_or_change_roles() -> None:
    for (kind, name), one in _rights(_fleet()).items():
        for rule in one["rules"] if kind == "ClusterRole" else []:
            assert "*" not in rule["apiGroups"], name
            assert not any(one.startswith("serviceaccounts/") for one in rule["resources"]), name
            assert "rbac.authorization.k8s.io" not in rule["apiGroups"], name
            # Only in External Secrets' own groups may it be everything.
            if "*" in rule["resources"]:
                assert rule["apiGroups"][0].endswith("external-secrets.io"), name
            assert "*" not in rule["verbs"], name


def test_it_may_take_tokens_of_its_own_account_alone() -> None:
    fleet = _fleet(namespace="eso", serviceAccount="reader")
    rights = _rights(fleet)
    role = rights[("Role", "fleet-external-secrets-token")]
    assert role["metadata"]["namespace"] == "eso"
    assert role["rules"][0] == {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "verbs": ["create"],
        "resourceNames": ["reader"],
    }
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        (binding,) = [one for (found, _), one in rights.items() if found == kind]
        subject = {"kind": "ServiceAccount", "name": "reader", "namespace": "eso"}
        assert binding["subjects"] == [subject]
        role_name = (binding["roleRef"]["kind"], binding["roleRef"]["name"])
        assert role_name in rights, "bound to a role that is made"


@pytest.mark.parametrize(
    ("auth", "settings", "options", "expected"),
    [
        ("jwt", {}, {}, RIGHTS),
        ("kubernetes", {}, {}, RIGHTS | {DELEGATOR}),
        ("kubernetes", {}, {"install": False}, {DELEGATOR}),
        ("jwt", {"values": {"rbac": {"create": True}}}, {}, set()),
        ("jwt", {"chart": None, "manifests": "eso.yaml"}, {}, set()),
        ("kubernetes", {"chart": None, "installed": True}, {}, {DELEGATOR}),
    ],
)
def test_fleet_makes_the_rights_that_nobody_else_makes(
    auth: str,
    settings: dict[str, Any],
    options: dict[str, Any],
    expected: set[tuple[str, str]],
) -> None:
    rights = _rights(_fleet(auth, **settings), **options)
    assert set(rights) == expected
    if DELEGATOR in rights:
        assert rights[DELEGATOR]["roleRef"]["name"] == "system:auth-delegator"


def test_what_argocd_delivers_is_the_same_and_in_order() -> None:
    fleet = _fleet("kubernetes", delivery="argocd")
    spoke = fleet.spokes[0]
    who = vault_identity.of_spoke(fleet, spoke)
    annotation = contract.annotations(fleet, spoke)[contract.STORES_ANNOTATION]
    made = json.loads(annotation)
    rights, stores = external_secrets_rights.objects(fleet, who), vault_identity.stores(fleet, who)
    assert made[: len(rights)] == rights
    ordered = {
        "argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true",
        "argocd.argoproj.io/sync-wave": "1",
    }
    for one, store in zip(made[len(rights) :], stores, strict=True):
        assert one["metadata"].pop("annotations") == ordered
        assert one == store


def test_what_pulumi_delivers_itself_is_not_in_the_contract() -> None:
    fleet = _fleet()
    assert contract.STORES_ANNOTATION not in contract.annotations(fleet, fleet.spokes[0])
