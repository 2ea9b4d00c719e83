"""The specs that Argo CD gets. What it makes of them is shown in the lab."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stacks.desired import sets
from stacks.desired.application_sets import left_out, set_spec
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
        "retry": (
            {
                "limit": 10,
                "backoff": {"duration": "5s", "factor": 2, "maxDuration": "1m"},
                "refresh": True,
            }
            if layout == "services"
            else {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}}
        ),
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


def _services(
    *others: dict[str, Any], exclude: list[str] | None = None, **sections: Any
) -> list[str]:
    """The directories that the services set of such a fleet leaves out."""
    services = {"name": "services", "layout": "services", "exclude": exclude or []}
    fleet = _fleet(
        environments=["production", "staging"], applicationSets=[services, *others], **sections
    )
    return left_out(fleet, "lab", fleet.application_sets[0])


SYSTEM = ["argocd", "external-secrets", "kube-*"]


def test_no_service_is_named_as_a_system_namespace() -> None:
    own: dict[str, Any] = {"externalSecrets": {"delivery": "pulumi"}}
    assert _services(**own) == SYSTEM
    own = {
        "externalSecrets": {"delivery": "pulumi", "namespace": "eso"},
        "argocd": {"manifest": "x", "namespace": "argo"},
        "rbac": {"accountNamespace": "argocd-manager"},
        "projects": {"systemNamespaces": ["istio-system"]},
    }
    assert _services(**own) == ["argo", "argocd-manager", "eso", "istio-system", "kube-*"]


def test_what_the_stack_file_excludes() -> None:
    own: dict[str, Any] = {"externalSecrets": {"delivery": "pulumi"}}
    found = _services(exclude=["tools-*", "eu-platform"], **own)
    assert found == sorted([*SYSTEM, "tools-*", "eu-platform"])


def test_no_service_is_the_application_of_another_set() -> None:
    platform = {"name": "platform-services", "layout": "platform"}
    addons = {"name": "addons", "layout": "directory", "path": "addons", "application": "dns"}
    assert _services(platform, addons) == sorted([*SYSTEM, "dns", "platform"])
    elsewhere = {**addons, "selector": {"environment": "staging"}}
    assert _services(platform, elsewhere) == sorted([*SYSTEM, "platform"])
    assert _services(externalSecrets={"namespace": "eso"}) == [
        "argocd",
        "eso",
        "external-secrets",
        "kube-*",
    ], "by Argo CD's delivery"


def test_no_service_is_the_application_of_a_spoke_whose_name_goes_on() -> None:
    spokes = [
        {
            "name": name,
            "environment": "production",
            "region": "eu",
            "server": f"https://{name}",
            "delivery": "pulumi",
        }
        for name in ("prod", "prod-eu", "prodigy")
    ]
    platform = {"name": "platform-services", "layout": "platform"}
    assert _services(platform, spokes=spokes) == sorted([*SYSTEM, "eu-platform", "platform"])


HUB = {
    "name": "management",
    "environment": "hub",
    "region": "eu",
    "server": "https://kubernetes.default.svc",
    "auth": {"kind": "inCluster"},
}
SPOKE = {
    "name": "prod-1",
    "environment": "production",
    "region": "eu",
    "server": "https://prod-1",
}


@pytest.mark.parametrize(
    ("selector", "project", "needed"),
    [
        ({"environment": "production"}, "services", ["services"]),
        ({"environment": "hub"}, "hub", ["hub"]),
        (
            {},
            '{{if eq .server "https://kubernetes.default.svc"}}hub{{else}}services{{end}}',
            ["hub", "services"],
        ),
    ],
)
def test_the_hub_has_a_project_of_its_own(
    selector: dict[str, str], project: str, needed: list[str]
) -> None:
    fleet = _fleet(
        environments=["hub", "production"],
        spokes=[SPOKE, HUB],
        applicationSets=[{"name": "services", "layout": "services", "selector": selector}],
    )
    spec = set_spec(fleet, "lab", fleet.application_sets[0])
    assert spec["template"]["spec"]["project"] == project
    assert sets.projects_needed(fleet, "lab") == needed


def test_the_projects_that_a_hub_must_have() -> None:
    both = [{"name": "a", "layout": "platform"}, {"name": "b", "layout": "services"}]
    assert sets.projects_needed(_fleet(applicationSets=both), "lab") == ["platform", "services"]
    assert sets.projects_needed(_fleet(applicationSets=both[:1]), "lab") == ["platform"]
    assert sets.projects_needed(_fleet(), "lab") == []
