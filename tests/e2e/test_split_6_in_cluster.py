"""The hub as a spoke of its own: Argo CD deploys to the cluster that it runs in, if a stack says so."""

from __future__ import annotations

from typing import Any

from tests.e2e.fleet_lab import is_fine, wait_until
from tests.e2e.split import HUB, Split


def _as_a_spoke(config: dict[str, Any]) -> None:
    config["fleet:environments"] = ["hub"]
    config["fleet:vault"].update(namespace="{environment}", readPaths=["platform/*"])
    config["fleet:spokes"] = [
        {
            "name": "management",
            "environment": "hub",
            "region": "us-east-1",
            "auth": {"kind": "inCluster"},
        }
    ]
    config["fleet:applicationSets"] = [
        {
            "name": "management-policies",
            "layout": "directory",
            "path": "base/network-policies/policies",
            "namespace": "platform",
        }
    ]


def test_the_hub_as_a_spoke(split: Split) -> None:
    lab = split.lab
    application = "management-management-policies"
    with split.edited(HUB):
        lab.edit(_as_a_spoke, HUB)
        lab.up(HUB)
        lab.run_controllers()  # argocd-cm has changed: in-cluster is allowed now
        wait_until(
            "Argo CD deploys to its own cluster",
            lambda: is_fine(lab.applications().get(application, {})),
            timeout=120,
        )
        assert lab.get("hub", "networkpolicy", "-n", "platform", "default-deny")
        store = lab.get("hub", "clustersecretstore", "vault-backend")
        assert store["spec"]["provider"]["vault"]["namespace"] == "hub"
        lab.nothing_to_change(HUB)
        lab.run("fleet", "status", "--stack", HUB, "--wait", "--timeout", "60")
    refused = lab.up(HUB, check=False)
    assert refused.code != 0
    assert "management" in refused.output
    with split.edited(HUB):
        lab.allow_deletion("management", stack=HUB)
        lab.up(HUB)
    lab.kubectl("hub", "-n", "argocd", "delete", "applications", "-l", "cluster_name=management")
    lab.nothing_to_change(HUB)
