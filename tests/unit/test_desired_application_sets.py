"""The specs that Argo CD gets. What it makes of them is shown in the lab."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stacks.desired import sets
from stacks.desired.application_sets import set_spec
from stacks.model.fleet import ApplicationSet, Fleet

REPO = "https://git.example.com/gitops-config.git"


def _fleet(**sections: Any) -> Fleet:
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
    return Fleet.model_validate(
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
    one = ApplicationSet.model_validate({"name": "one", "layout": "platform", **block})
    return set_spec(_fleet(), "lab", one)


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
        ({"namespace": "add-ons"}, "one", "add-ons"),
        ({"application": "addons", "namespace": "add-ons"}, "addons", "add-ons"),
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
    wanted = "services" if layout == "services" else "platform"
    assert spec["template"]["spec"]["project"] == wanted, "no template where the hub is no spoke"
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
    one = ApplicationSet.model_validate({"name": "one", **block})
    found = sets.references(one)
    text = " ".join(_strings(set_spec(_fleet(), "lab", one)))
    read = re.findall(r"\.metadata\.(labels|annotations)[ .]\"?(\w+)", text)
    assert {name for field, name in read if field == "labels"} == found.labels
    assert {name for field, name in read if field == "annotations"} == found.annotations
