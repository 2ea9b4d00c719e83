from __future__ import annotations

import json

from stacks.desired import contract
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke


def _fleet(**spoke: object) -> tuple[Fleet, Spoke]:
    block = {"name": "prod-us-east-1", "environment": "production", "region": "us-east-1", **spoke}
    fleet = Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "argocd": {"manifest": "install.yaml"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git", "revision": "v1"},
            "vault": {"address": "https://vault.example.com"},
            "externalSecrets": {"crds": "crds.yaml", "chart": "chart"},
            "spokes": [block],
            "applicationSets": [{"name": "services", "layout": "services"}],
        }
    )
    return fleet, fleet.spokes[0]


def test_labels() -> None:
    fleet, spoke = _fleet(labels={"team": "payments"})
    assert contract.labels(fleet, "live", spoke) == {
        "argocd.argoproj.io/secret-type": "cluster",
        "cluster_name": "prod-us-east-1",
        "enable_external_secrets": "true",
        "environment": "production",
        "external_secrets_delivery": "pulumi",
        "fleet_stack": "live",
        "region": "us-east-1",
        "team": "payments",
    }


def test_labels_of_what_a_spoke_may_have() -> None:
    fleet, spoke = _fleet(
        tier="gold", addons=["cert_manager"], labels={"tier": "silver", "environment": "dev"}
    )
    labels = contract.labels(fleet, "live", spoke)
    assert labels["enable_cert_manager"] == "true"
    assert (labels["tier"], labels["environment"]) == ("gold", "production"), "Fleet's own win"


def test_annotations_carry_the_names_of_gitops_bridge() -> None:
    fleet, spoke = _fleet(annotations={"aws_account_id": "123456789012"})
    annotations = contract.annotations(fleet, spoke)
    for kind in ("addons", "workload"):
        assert annotations[f"{kind}_repo_url"] == "https://git.example.com/gitops-config.git"
        assert annotations[f"{kind}_repo_revision"] == "v1"
        assert {f"{kind}_repo_basepath", f"{kind}_repo_path"} <= annotations.keys()
    assert annotations["aws_account_id"] == "123456789012"


def test_annotations_of_eks() -> None:
    fleet, spoke = _fleet(auth={"kind": "eks", "clusterName": "prod"})
    annotations = contract.annotations(fleet, spoke)
    assert (annotations["aws_cluster_name"], annotations["aws_region"]) == ("prod", "us-east-1")


def test_argo_cd_is_told_of_the_stores_where_it_delivers_them() -> None:
    fleet, spoke = _fleet(delivery="argocd")
    told = contract.annotations(fleet, spoke)["external_secrets_stores"]
    assert "vault-backend" in [one["metadata"]["name"] for one in json.loads(told)]
    assert "external_secrets_stores" not in contract.annotations(*_fleet())


def test_stable_order() -> None:
    fleet, spoke = _fleet(
        labels={"zone": "a", "alpha": "b"}, annotations={"zone": "a", "alpha": "b"}
    )
    labels = contract.labels(fleet, "live", spoke)
    assert list(labels) == sorted(labels)
    assert list(contract.annotations(fleet, spoke)) == sorted(contract.annotations(fleet, spoke))


def test_placeholders() -> None:
    _, spoke = _fleet()
    assert spoke.fill("{environment}/{cluster}/{region}") == "production/prod-us-east-1/us-east-1"
    assert spoke.fill("a{b") == "a{b", "a lone brace stands for itself"
