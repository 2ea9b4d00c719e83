from __future__ import annotations

import json

from stacks.desired import contract, projects
from stacks.desired.argocd_install import default_config
from tests.unit.live_hub import a_fleet

REPO = "https://git.example.com/gitops-config.git"
HUB = "https://kubernetes.default.svc"
BY_ARGOCD = {
    "chart": "oci://charts.example.com/external-secrets",
    "version": "0.19.2",
    "delivery": "argocd",
}


def test_project_platform_keeps_off_the_hub_unless_it_is_a_spoke() -> None:
    apart = a_fleet()
    assert projects.platform_spec(apart)["sourceRepos"] == [REPO]
    assert {"server": f"!{HUB}", "namespace": "*"} in projects.platform_spec(apart)["destinations"]
    assert default_config(apart)["cluster.inClusterEnabled"] == "false"
    hub = {
        "name": "hub",
        "environment": "production",
        "region": "eu",
        "auth": {"kind": "inCluster"},
    }
    joined = a_fleet(spokes=[hub])
    assert projects.platform_spec(joined)["destinations"] == [{"server": "*", "namespace": "*"}]
    assert default_config(joined)["cluster.inClusterEnabled"] == "true"


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
