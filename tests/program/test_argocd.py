"""Argo CD on the hub, and the ApplicationSets that hand the spokes over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Refusal, RunProgram, example

REPO_URL = "http://127.0.0.1:3000/platform/gitops-config.git"


def objects_of(run: Any) -> dict[str, Any]:
    (rest,) = [one for one in run.of("yaml/v2:ConfigGroup") if one.name == "argocd"]
    return {one["kind"]: one for one in rest.inputs["objs"]}


def test_argocd_is_placed_and_configured(run_program: RunProgram) -> None:
    config = example("lab")
    config["fleet:argocd"]["namespace"] = "argo"
    run = run_program("lab", config)
    crds = run.object("ConfigMap", "argocd-crds", "hub")
    assert list(crds.inputs["data"]) == ["applications.argoproj.io"]
    assert crds.inputs["metadata"]["namespace"] == "argo"
    by_kind = objects_of(run)
    assert by_kind["ServiceAccount"]["metadata"]["namespace"] == "argo"
    assert "namespace" not in by_kind["ClusterRoleBinding"]["metadata"]
    assert by_kind["ClusterRoleBinding"]["subjects"][0]["namespace"] == "argo"
    settings = by_kind["ConfigMap"]["data"]
    assert settings["application.resourceTrackingMethod"] == "annotation"
    assert settings["cluster.inClusterEnabled"] == "false"
    assert settings["timeout.reconciliation"] == "30s"
    secret = run.object("Secret", "cluster-staging", "hub")
    assert secret.inputs["metadata"]["namespace"] == "argo"


def test_controllers_and_what_they_are_told_agree(run_program: RunProgram) -> None:
    config = example("lab")
    assert objects_of(run_program("lab", config))["StatefulSet"]["spec"]["replicas"] == 1
    config["fleet:argocd"]["controllerReplicas"] = 3
    config["fleet:spokes"][0]["shard"] = 2
    run = run_program("lab", config)
    spec = objects_of(run)["StatefulSet"]["spec"]
    assert spec["replicas"] == 3
    assert spec["template"]["spec"]["containers"][0]["env"] == [
        {"name": "ARGOCD_CONTROLLER_REPLICAS", "value": "3"}
    ]
    sharded = run.object("Secret", "cluster-prod-us-east-1", "hub")
    assert sharded.inputs["stringData"]["shard"] == "2"


def test_the_default_project_is_shut_before_argocd_starts(run_program: RunProgram) -> None:
    run = run_program("hub")
    project = run.object("AppProject", "default", "hub")
    assert "destinations" not in project.inputs["spec"]
    assert "sourceRepos" not in project.inputs["spec"]
    install = run.one("yaml/v2:ConfigGroup", "argocd")
    assert any(urn.endswith(f"::{project.name}") for urn in install.request.dependencies)


def test_the_projects_of_the_sets_never_reach_the_hub(run_program: RunProgram) -> None:
    run = run_program("hub")
    for name in ("platform", "services"):
        spec = run.object("AppProject", name, "hub").inputs["spec"]
        assert spec["sourceRepos"] == [REPO_URL]
        shut = {"server": "!https://kubernetes.default.svc", "namespace": "*"}
        assert shut in spec["destinations"]
    assert "destinations" not in run.object("AppProject", "hub", "hub").inputs["spec"]


def test_the_projects_are_there_before_a_set_deploys_by_them(run_program: RunProgram) -> None:
    run = run_program("lab")
    made = {run.object("AppProject", name, "hub").name for name in ("platform", "services", "hub")}
    for name in ("platform-services", "services"):
        after = run.object("ApplicationSet", name, "hub").request.dependencies
        assert made <= {urn.rpartition("::")[2] for urn in after}, name


def test_sets_stay_pulumi_s_whoever_writes_them_back(run_program: RunProgram) -> None:
    """Argo CD does, whole, once it was told of a push; then it would own the generators."""
    run = run_program("production")
    made = run.of(":ApplicationSet")
    assert len(made) == 2
    for one in made:
        assert one.inputs["metadata"]["annotations"] == {"pulumi.com/patchForce": "true"}


def test_the_project_of_a_team_is_there_before_its_set(run_program: RunProgram) -> None:
    """So its new repo is let in before anything deploys from that."""
    teams = [{"name": "payments", "namespaces": ["payment-service"]}]
    run = run_program("lab", {**example("lab"), "fleet:teams": teams})
    project = run.object("AppProject", "team-payments", "hub").name
    after = run.object("ApplicationSet", "services-payments", "hub").request.dependencies
    assert project in {urn.rpartition("::")[2] for urn in after}


@pytest.mark.parametrize("stack", ["lab", "production"])
def test_platform_services_is_the_article_s(run_program: RunProgram, stack: str) -> None:
    one = run_program(stack).object("ApplicationSet", "platform-services", "hub")
    spec = one.inputs["spec"]
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]
    assert spec["generators"] == [
        {"clusters": {"selector": {"matchLabels": {"environment": "production"}}}}
    ]
    assert spec["syncPolicy"] == {
        "applicationsSync": "create-update",
        "preserveResourcesOnDeletion": True,
    }
    template = spec["template"]
    assert template["metadata"]["name"] == "{{.name}}-platform"
    assert template["spec"] == {
        "project": "platform",
        "source": {
            "repoURL": REPO_URL,
            "targetRevision": "main",
            "path": "clusters/{{.name}}/platform",
        },
        "destination": {"server": "{{.server}}", "namespace": "platform"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["CreateNamespace=true"],
            "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
        },
    }


def test_services_never_take_the_hub(run_program: RunProgram) -> None:
    spec = run_program("lab").object("ApplicationSet", "services", "hub").inputs["spec"]
    clusters, git = spec["generators"][0]["matrix"]["generators"]
    assert clusters["clusters"]["selector"] == {
        "matchLabels": {"argocd.argoproj.io/secret-type": "cluster"},
        "matchExpressions": [
            {
                "key": "environment",
                "operator": "In",
                "values": ["production", "staging", "dev"],
            }
        ],
    }
    assert git["git"]["directories"] == [
        {"path": 'apps/*/overlays/{{index .metadata.labels "environment"}}'},
        {"path": "apps/argo-rollouts/overlays/*", "exclude": True},
        {"path": "apps/argocd/overlays/*", "exclude": True},
        {"path": "apps/external-secrets/overlays/*", "exclude": True},
        {"path": "apps/kube-*/overlays/*", "exclude": True},
        {"path": "apps/platform/overlays/*", "exclude": True},
    ]


def test_a_set_of_a_directory(run_program: RunProgram) -> None:
    config = example("dev")
    config["fleet:applicationSets"].append(
        {
            "name": "addons-dev",
            "layout": "directory",
            "path": "addons/{{.name}}",
            "application": "addons",
            "namespace": "add-ons",
            "preserve": False,
        }
    )
    spec = run_program("dev", config).object("ApplicationSet", "addons-dev", "hub").inputs["spec"]
    assert spec["syncPolicy"]["preserveResourcesOnDeletion"] is False
    assert spec["template"]["metadata"]["name"] == "{{.name}}-addons"
    assert spec["template"]["spec"]["source"]["path"] == "addons/{{.name}}"
    assert spec["template"]["spec"]["destination"]["namespace"] == "add-ons"


def test_bad_input_registers_nothing_and_shows_no_traceback(run_program: RunProgram) -> None:
    config = example("lab")
    block = config["fleet:spokes"][0]
    block["enviroment"] = block.pop("environment")
    with pytest.raises(
        Refusal,
        match=r'spokes\[0\]\.enviroment: unknown key; did you mean "environment"',
    ):
        run_program("lab", config)
