"""Delivery by Argo CD: few resources per spoke, no process for it, and the same stores as Pulumi would make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.program.conftest import CANARIES, Run, RunProgram, example, spoke_of
from tests.program.test_every_stack import secrets_in_clear
from tests.program.test_secrets import store_of

AUTH: dict[str, dict[str, Any]] = {
    "vault": {"kind": "vault"},
    "eks": {"kind": "eks", "clusterName": "one"},
    "gke": {"kind": "gke"},
    "aks": {"kind": "aks", "clientId": "the-client", "tenantId": "the-tenant"},
    "exec": {"kind": "exec", "command": "login"},
}
CHART = {
    "repo": "${FLEET_CHART_REPO}",
    "chart": "external-secrets",
    "version": "${FLEET_EXTERNAL_SECRETS_VERSION}",
    "delivery": "argocd",
}


def large(spokes: int, auth: dict[str, Any]) -> dict[str, Any]:
    config = example("production")
    config["fleet:externalSecrets"] = dict(CHART)
    config["fleet:spokes"] = [
        {
            "name": f"spoke-{index}",
            "environment": "production",
            "region": "us-east-1",
            "server": f"https://spoke-{index}.example.com",
            "issuer": f"https://oidc.example.com/{index}",
            "auth": {**auth, **({"clusterName": f"c{index}"} if auth["kind"] == "eks" else {})},
        }
        for index in range(spokes)
    ]
    return config


def contract_of(run: Run, spoke: str) -> dict[str, dict[str, str]]:
    """The labels and annotations of the spoke's cluster Secret, whoever makes it."""
    (one,) = [one for one in run.on("hub") if one.name == f"{spoke}-cluster-secret"]
    if one.type.endswith(":ExternalSecret"):
        return dict(one.inputs["spec"]["target"]["template"]["metadata"])
    return dict(one.inputs["metadata"])


@pytest.mark.parametrize("kind", AUTH)
def test_pulumi_has_no_provider_for_the_spokes(run_program: RunProgram, kind: str) -> None:
    run = run_program("production", large(3, AUTH[kind]))
    assert {one.name for one in run.resources if one.type.startswith("pulumi:providers:")} == {
        "hub",
        "vault",
    }
    assert not secrets_in_clear(run)
    labels = contract_of(run, "spoke-0")["labels"]
    assert labels["external_secrets_delivery"] == "argocd"


def test_nor_where_argo_cd_has_the_credential_of_the_context(run_program: RunProgram) -> None:
    config = example("dev")
    config["fleet:externalSecrets"] = dict(CHART)
    config["fleet:spokes"][0]["auth"] = {"kind": "token"}
    run = run_program("dev", config)
    assert {one.name for one in run.of("pulumi:providers:kubernetes")} == {"hub"}
    data = run.object("Secret", "cluster-dev", "hub").inputs["stringData"]
    assert CANARIES["token"] in data["config"]


@pytest.mark.parametrize("kind", AUTH)
def test_few_resources_per_spoke(run_program: RunProgram, kind: str) -> None:
    few, many = (
        len(run_program("production", large(count, AUTH[kind])).resources) for count in (2, 12)
    )
    assert (many - few) / 10 <= 8


def test_one_set_brings_the_chart_to_every_spoke(run_program: RunProgram) -> None:
    run = run_program("production", large(2, AUTH["gke"]))
    one = run.object("ApplicationSet", "external-secrets-production", "hub")
    spec = one.inputs["spec"]
    assert spec["generators"] == [
        {
            "clusters": {
                "selector": {
                    "matchLabels": {
                        "enable_external_secrets": "true",
                        "external_secrets_delivery": "argocd",
                        "fleet_stack": "production",
                    }
                }
            }
        }
    ]
    assert spec["syncPolicy"]["preserveResourcesOnDeletion"] is True
    application = spec["template"]["spec"]
    assert application["project"] == "external-secrets-production"
    assert application["source"]["repoURL"] == "https://127.0.0.1:3001/charts"
    assert application["source"]["targetRevision"] == "0.19.2"
    assert "external_secrets_stores" in application["source"]["helm"]["values"]
    project = run.object("AppProject", "external-secrets-production", "hub").inputs["spec"]
    assert project["sourceRepos"] == ["https://127.0.0.1:3001/charts"]


def test_the_stores_are_those_that_pulumi_makes(run_program: RunProgram) -> None:
    config = example("production")
    config["fleet:secretStores"] = [
        {"name": "vault-backend"},
        {"name": "payments", "namespaces": ["payment-service"]},
    ]
    direct = run_program("production", config)
    config["fleet:externalSecrets"] |= CHART
    del config["fleet:externalSecrets"]["crds"]
    delivered = run_program("production", config)
    for spoke in ("prod-us-east-1", "prod-eu-west-1"):
        annotation = contract_of(delivered, spoke)["annotations"]["external_secrets_stores"]
        stores = {
            one["metadata"]["name"]: one["spec"]
            for one in json.loads(annotation)
            if one["kind"] == "ClusterSecretStore"
        }
        assert set(stores) == {"vault-backend", "payments"}
        for name, spec in stores.items():
            assert spec == store_of(direct, spoke, name)
        assert not [one for one in delivered.on(spoke) if one.type.endswith(":ClusterSecretStore")]
        assert "external_secrets_stores" not in contract_of(direct, spoke)["annotations"]


def test_a_single_spoke_can_differ(run_program: RunProgram) -> None:
    config = example("production")
    config["fleet:externalSecrets"] |= CHART | {"delivery": "pulumi"}
    spoke_of(config, "prod-us-west-2")["delivery"] = "argocd"
    run = run_program("production", config)
    assert run.object("ApplicationSet", "external-secrets-production", "hub")
    assert {one.name for one in run.of(":Chart")} == {
        "prod-us-east-1-external-secrets",
        "prod-eu-west-1-external-secrets",
    }
    assert contract_of(run, "prod-us-east-1")["labels"]["external_secrets_delivery"] == "pulumi"


def test_what_pulumi_delivers_alone_needs_no_set(run_program: RunProgram) -> None:
    names = {
        one.inputs["metadata"]["name"] for one in run_program("production").of(":ApplicationSet")
    }
    assert names == {"platform-services", "services-production"}
