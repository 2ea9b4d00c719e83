"""The rights of `argocd-manager` and of External Secrets, as a real API server reads them."""

from __future__ import annotations

import json
from typing import Any

from stacks.desired import argocd_manager as rights
from stacks.desired import external_secrets_rights
from stacks.desired import vault_identity as identity
from stacks.model.fleet import Fleet
from tests.lab_repo import lab_repo
from tests.real.conftest import Cluster

NAMESPACE = "kube-system"
MANAGER = f"--as=system:serviceaccount:{NAMESPACE}:{rights.ACCOUNT}"
API = "rbac.authorization.k8s.io/v1"


def _give(cluster: Cluster, **spoke: Any) -> list[dict[str, Any]]:
    """Give the manager its rights; what Argo CD would deliver of External Secrets' own."""
    block = {"name": "prod-1", "environment": "production", "region": "eu-west-1", **spoke}
    fleet = Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com", "auth": "kubernetes"},
            "externalSecrets": {"chart": "chart"},
            "spokes": [block],
        }
    )
    one = fleet.spokes[0]
    _apply(
        cluster,
        {
            "apiVersion": API,
            "kind": "ClusterRole",
            "metadata": {"name": rights.ROLE},
            "rules": rights.rules(fleet, one),
        },
        {
            "apiVersion": API,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": rights.BINDING},
            "roleRef": {"apiGroup": API[:-3], "kind": "ClusterRole", "name": rights.ROLE},
            "subjects": [
                {"kind": "ServiceAccount", "name": rights.ACCOUNT, "namespace": NAMESPACE}
            ],
        },
    )
    objects = external_secrets_rights.objects(fleet, identity.of_spoke(fleet, one))
    return [
        json.loads(json.dumps(one).replace('"external-secrets"', '"default"')) for one in objects
    ]


def _apply(cluster: Cluster, *objects: dict[str, Any], user: str = "") -> str:
    listed = {"apiVersion": "v1", "kind": "List", "items": [*objects]}
    command = ["apply", "--server-side", "--force-conflicts", "-f", "-", *([user] if user else [])]
    return cluster.kubectl(*command, stdin=json.dumps(listed), check=not user)


def test_it_hands_out_what_it_has_and_no_more(cluster: Cluster) -> None:
    mine = _give(cluster)
    for path in ("namespaces", "rbac"):
        cluster.kubectl("apply", "--server-side", MANAGER, "-k", str(lab_repo() / "base" / path))
    for one in mine:
        assert not _apply(cluster, one, user=MANAGER), one["metadata"]["name"]
    cluster.kubectl("get", "pods", "-A", MANAGER)
    assert cluster.kubectl("auth", "can-i", "get", "secrets", MANAGER, check=False).strip() == "no"


def test_it_delivers_external_secrets_and_nothing_stronger(cluster: Cluster) -> None:
    for one in _give(cluster, delivery="argocd"):
        applied = _apply(cluster, one, user=MANAGER)
        assert "serverside-applied" in applied, one["metadata"]["name"]
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    strong = {"apiVersion": API, "kind": "ClusterRole", "metadata": {"name": "strong"}}
    assert not _apply(cluster, {**strong, "rules": everything}, user=MANAGER)
    admin = {
        "apiVersion": API,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "strong"},
        "roleRef": {"apiGroup": API[:-3], "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": API[:-3], "kind": "Group", "name": "anybody"}],
    }
    assert not _apply(cluster, admin, user=MANAGER)
