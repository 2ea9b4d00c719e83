"""The specs that Argo CD gets. What it makes of them is shown in the lab."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

import stacks
from components import argocd, external_secrets_set
from components.application_sets import set_spec
from stacks import contract, sets

REPO = "https://git.example.com/gitops-config.git"
STORES = re.compile(r"\{\{\.metadata\.annotations\.external_secrets_stores \|[^\n]*?\"\}\}(?=\])")
HUB = "https://kubernetes.default.svc"


def _fleet(**sections: Any) -> stacks.Fleet:
    external_secrets = {
        "chart": "external-secrets",
        "repo": "https://charts.example.com",
        "version": "0.19.2",
        "delivery": "argocd",
        **sections.pop("externalSecrets", {}),
    }
    spoke = {
        "name": "prod-1",
        "environment": "production",
        "region": "eu",
        "server": "https://prod-1",
    }
    return stacks.Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": REPO},
            "vault": {"address": "https://vault.example.com"},
            "externalSecrets": external_secrets,
            "spokes": [spoke],
            **sections,
        }
    )


def _spec(**block: Any) -> dict[str, Any]:
    one = stacks.ApplicationSet.model_validate({"name": "one", "layout": "platform", **block})
    return set_spec(_fleet(), one)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


def test_platform() -> None:
    spec = _spec(selector={"environment": "production"})
    assert spec["generators"] == [
        {"clusters": {"selector": {"matchLabels": {"environment": "production"}}}}
    ]
    assert spec["template"]["metadata"]["name"] == "{{.name}}-platform"
    assert spec["template"]["spec"]["source"] == {
        "repoURL": REPO,
        "targetRevision": "main",
        "path": "clusters/{{.name}}/platform",
    }
    assert spec["template"]["spec"]["destination"] == {
        "server": "{{.server}}",
        "namespace": "platform",
    }


def test_services_follow_one_revision_for_finding_and_for_deploying() -> None:
    revision = "{{.metadata.annotations.workload_repo_revision}}"
    spec = _spec(layout="services", revision=revision)
    clusters, git = spec["generators"][0]["matrix"]["generators"]
    assert clusters["clusters"]["selector"]["matchExpressions"][0]["key"] == "environment"
    assert git["git"]["revision"] == revision
    template = spec["template"]
    assert template["metadata"]["name"] == "{{.name}}-{{index .path.segments 1}}"
    assert template["spec"]["source"]["targetRevision"] == revision
    assert template["spec"]["destination"]["namespace"] == "{{index .path.segments 1}}"


@pytest.mark.parametrize(
    ("block", "application", "namespace"),
    [
        ({}, "one", "one"),
        ({"application": "addons"}, "addons", "addons"),
        ({"namespace": "kube-addons"}, "one", "kube-addons"),
        ({"application": "addons", "namespace": "kube-addons"}, "addons", "kube-addons"),
    ],
)
def test_a_directory(block: dict[str, str], application: str, namespace: str) -> None:
    template = _spec(layout="directory", path="addons/{{.name}}", **block)["template"]
    assert template["metadata"]["name"] == f"{{{{.name}}}}-{application}"
    assert template["spec"]["source"]["path"] == "addons/{{.name}}"
    assert template["spec"]["destination"]["namespace"] == namespace


def test_a_set_deletes_only_where_the_stack_file_says_so() -> None:
    assert _spec()["syncPolicy"] == {
        "applicationsSync": "create-update",
        "preserveResourcesOnDeletion": True,
    }
    assert _spec(preserve=False)["syncPolicy"] == {
        "applicationsSync": "sync",
        "preserveResourcesOnDeletion": False,
    }


@pytest.mark.parametrize("layout", ["platform", "services", "directory"])
def test_every_application_heals_and_names_its_project(layout: str) -> None:
    spec = _spec(layout=layout, path="x")
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]
    assert spec["template"]["spec"]["project"] == "platform", "a project is never templated"
    assert spec["template"]["spec"]["syncPolicy"] == {
        "automated": {"prune": True, "selfHeal": True},
        "syncOptions": ["CreateNamespace=true"],
        "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
    }


@pytest.mark.parametrize(
    "block",
    [
        {"layout": "platform"},
        {"layout": "services"},
        {"layout": "directory", "path": "a/{{.metadata.labels.tier}}"},
        {"layout": "platform", "revision": '{{index .metadata.annotations "ref"}}'},
    ],
)
def test_references_tell_all_that_the_templates_read(block: dict[str, str]) -> None:
    one = stacks.ApplicationSet.model_validate({"name": "one", **block})
    found = sets.references(one)
    text = " ".join(_strings(set_spec(_fleet(), one)))
    read = re.findall(r"\.metadata\.(labels|annotations)[ .]\"?(\w+)", text)
    assert {name for field, name in read if field == "labels"} == found.labels
    assert {name for field, name in read if field == "annotations"} == found.annotations


def test_project_platform_keeps_off_the_hub_unless_it_is_a_spoke() -> None:
    apart = _fleet()
    assert argocd.project_spec(apart)["sourceRepos"] == [REPO]
    assert {"server": f"!{HUB}", "namespace": "*"} in argocd.project_spec(apart)["destinations"]
    assert argocd.default_config(apart)["cluster.inClusterEnabled"] == "false"
    hub = {
        "name": "hub",
        "environment": "production",
        "region": "eu",
        "auth": {"kind": "inCluster"},
    }
    joined = _fleet(spokes=[hub])
    assert argocd.project_spec(joined)["destinations"] == [{"server": "*", "namespace": "*"}]
    assert argocd.default_config(joined)["cluster.inClusterEnabled"] == "true"


@pytest.mark.parametrize(
    ("settings", "repo"),
    [
        ({"repo": "https://charts.example.com"}, "https://charts.example.com"),
        ({"repo": "oci://ghcr.io/charts"}, "ghcr.io/charts"),
        ({"repo": None, "chart": "oci://ghcr.io/charts/external-secrets"}, "ghcr.io/charts"),
    ],
)
def test_the_chart_as_argo_cd_names_it(settings: dict[str, str | None], repo: str) -> None:
    fleet = _fleet(externalSecrets=settings)
    source = external_secrets_set.set_spec(fleet, "lab")["template"]["spec"]["source"]
    assert source.pop("helm")["releaseName"] == "external-secrets"
    assert source == {"repoURL": repo, "chart": "external-secrets", "targetRevision": "0.19.2"}
    assert external_secrets_set.project_spec(fleet)["sourceRepos"] == [repo]


def test_the_set_that_delivers_external_secrets() -> None:
    fleet = _fleet(externalSecrets={"namespace": "secrets"})
    spec = external_secrets_set.set_spec(fleet, "lab")
    (generator,) = spec["generators"]
    chosen = generator["clusters"]["selector"]
    assert sets.matches(chosen, contract.labels(fleet, "lab", fleet.spokes[0]))
    assert spec["syncPolicy"]["preserveResourcesOnDeletion"] is True
    assert spec["template"]["metadata"]["name"] == "{{.name}}-external-secrets"
    made = spec["template"]["spec"]
    assert made["project"] == "external-secrets-lab"
    assert made["destination"] == {"server": "{{.server}}", "namespace": "secrets"}
    assert made["syncPolicy"]["syncOptions"] == ["CreateNamespace=true", "ServerSideApply=true"]
    project = external_secrets_set.project_spec(fleet)
    assert project["destinations"] == [
        {"server": "*", "namespace": "secrets"},
        {"server": f"!{HUB}", "namespace": "*"},
    ]


def test_the_project_allows_every_cluster_scoped_kind_of_the_contract() -> None:
    fleet = _fleet(vault={"address": "https://vault.example.com", "auth": "kubernetes"})
    allowed = external_secrets_set.project_spec(fleet)["clusterResourceWhitelist"]
    carried = json.loads(contract.annotations(fleet, fleet.spokes[0])[contract.STORES_ANNOTATION])
    needed = {
        (one["apiVersion"].split("/")[0], one["kind"])
        for one in carried
        if "namespace" not in one["metadata"]
    }
    assert ("external-secrets.io", "ClusterSecretStore") in needed
    assert needed <= {(one["group"], one["kind"]) for one in allowed}


def test_values_are_the_fleet_s_and_the_contract_s() -> None:
    own = {"kind": "ConfigMap", "data": {"note": "{{ .Release.Name }} and 'quotes' and \\"}}
    fleet = _fleet(
        externalSecrets={
            "crds": "crds.yaml",
            "values": {"podLabels": {"a": "{{b}}"}, "extraObjects": [own]},
        }
    )
    text = external_secrets_set.values(fleet)
    carried = contract.annotations(fleet, fleet.spokes[0])[contract.STORES_ANNOTATION]
    rendered, filled = STORES.subn(lambda _: carried[1:-1], text)
    assert filled == 1
    assert "{{" not in rendered.replace("{{`{{`}}", ""), "nothing else is a template"
    values = yaml.safe_load(rendered.replace("{{`{{`}}", "{{"))
    assert values["extraObjects"] == [own, *json.loads(carried)]
    assert values["podLabels"] == {"a": "{{b}}"}
    assert values["installCRDs"] is True, "Argo CD has the chart alone"
    assert values["crds"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"
    assert values["serviceAccount"]["name"] == "external-secrets"


def test_values_without_objects_of_their_own_are_the_contract_s_alone() -> None:
    assert external_secrets_set.values(_fleet()).splitlines()[-1] == (
        "extraObjects: [{{.metadata.annotations.external_secrets_stores"
        ' | trimAll "[]" | replace "{{" "{{`{{`}}"}}]'
    )
