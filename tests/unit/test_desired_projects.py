from __future__ import annotations

import json

from stacks.desired import contract, projects
from stacks.desired.argocd_install import default_config
from tests.unit.live_hub import a_fleet

BY_ARGOCD = {
    "chart": "oci://charts.example.com/external-secrets",
    "version": "0.19.2",
    "delivery": "argocd",
}


def test_argocd_deploys_to_its_own_cluster_only_where_it_is_a_spoke() -> None:
    assert default_config(a_fleet())["cluster.inClusterEnabled"] == "false"
    hub = {
        "name": "hub",
        "environment": "production",
        "region": "eu",
        "auth": {"kind": "inCluster"},
    }
    assert default_config(a_fleet(spokes=[hub]))["cluster.inClusterEnabled"] == "true"


def test_the_project_allows_every_cluster_scoped_kind_of_the_contract() -> None:
    fleet = a_fleet(
        externalSecrets=BY_ARGOCD,
        vault={"address": "https://vault.example.com", "auth": "kubernetes"},
    )
    allowed = projects.external_secrets_spec(fleet)["clusterResourceWhitelist"]
    carried = json.loads(contract.annotations(fleet, fleet.spokes[0])[contract.STORES_ANNOTATION])
    needed = {
        (one["apiVersion"].split("/")[0], one["kind"])
        for one in carried
        if "namespace" not in one["metadata"]
    }
    assert ("external-secrets.io", "ClusterSecretStore") in needed
    assert needed <= {(one["group"], one["kind"]) for one in allowed}


def test_the_hub_s_project_lets_no_kind_of_argo_cd_s_in() -> None:
    """Argo CD's own answer is in tests/real."""
    here = {"name": "hub", "environment": "production", "region": "eu"}
    fleet = a_fleet(spokes=[{**here, "auth": {"kind": "inCluster"}}])
    shut = projects.hub_spec(fleet)["namespaceResourceBlacklist"]
    assert {one["group"] for one in shut} == {"argoproj.io", "rbac.authorization.k8s.io"}
