from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from tests.program.conftest import TOKEN, RunProgram

SPOKES = ["prod-us-east-1", "prod-eu-west-1", "staging"]


def test_names_are_unique_by_type(run_program: RunProgram, lab_config: dict[str, Any]) -> None:
    # The mocks accept what the engine refuses.
    names = [(one.type, one.name, one.request.parent) for one in run_program(lab_config).resources]
    assert len(names) > 30
    assert len(names) == len(set(names))


def test_no_default_provider(run_program: RunProgram, lab_config: dict[str, Any]) -> None:
    run = run_program(lab_config)
    assert lab_config["pulumi:disable-default-providers"] == ["kubernetes", "vault"]
    for one in run.resources:
        if one.type.startswith(("kubernetes:", "vault:")):
            assert one.request.provider or one.request.providers, f"{one.name} names its provider"


def test_a_provider_per_cluster_with_identity_and_secret_kubeconfig(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    providers = run_program(lab_config).of("pulumi:providers:kubernetes")
    assert {one.name for one in providers} == {"hub", *SPOKES}
    for one in providers:
        assert one.inputs["clusterIdentifier"] == one.name
        assert one.is_secret("kubeconfig")


def test_a_cluster_secret_per_spoke(run_program: RunProgram, lab_config: dict[str, Any]) -> None:
    run = run_program(lab_config)
    for index, spoke in enumerate(SPOKES):
        secret = run.one("kubernetes:core/v1:Secret", f"{spoke}-cluster-secret")
        assert secret.inputs["metadata"]["name"] == f"cluster-{spoke}"
        assert secret.inputs["metadata"]["namespace"] == "argocd"
        labels = secret.inputs["metadata"]["labels"]
        assert labels["argocd.argoproj.io/secret-type"] == "cluster"
        assert labels["environment"] == ("staging" if spoke == "staging" else "production")
        data = secret.inputs["stringData"]
        assert data["name"] == spoke
        assert data["server"] == f"https://127.0.0.1:{7002 + index}"
        config = json.loads(data["config"])
        assert config["bearerToken"] == TOKEN
        assert config["tlsClientConfig"]["insecure"] is False
        assert config["tlsClientConfig"]["caData"]
        assert secret.is_secret("stringData")


def test_the_token_is_nowhere_but_in_secrets(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    run = run_program(lab_config)
    holders = [one for one in run.resources if TOKEN in json.dumps(one.inputs)]
    assert {one.name for one in holders} == {f"{spoke}-cluster-secret" for spoke in SPOKES}
    assert TOKEN not in repr(run.outputs)
    for spoke in SPOKES:
        token = run.one("kubernetes:core/v1:Secret", f"{spoke}-argocd-manager-token")
        assert "data" in token.request.additionalSecretOutputs


def test_argocd_is_placed_and_configured(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    lab_config["fleet:argocd"]["namespace"] = "argo"
    run = run_program(lab_config)
    crds = run.one("kubernetes:yaml/v2:ConfigGroup", "argocd-crds")
    rest = run.one("kubernetes:yaml/v2:ConfigGroup", "argocd")
    assert [one["kind"] for one in crds.inputs["objs"]] == ["CustomResourceDefinition"]
    assert crds.request.retainOnDelete, "deleting the CRDs would delete every Application"
    by_kind = {one["kind"]: one for one in rest.inputs["objs"]}
    assert by_kind["ServiceAccount"]["metadata"]["namespace"] == "argo"
    assert "namespace" not in by_kind["ClusterRoleBinding"]["metadata"]
    assert by_kind["ClusterRoleBinding"]["subjects"][0]["namespace"] == "argo"
    assert by_kind["ConfigMap"]["data"] == {
        "application.resourceTrackingMethod": "annotation",
        "cluster.inClusterEnabled": "false",
        "timeout.reconciliation": "30s",
    }


def test_the_default_project_is_shut_before_argocd_starts(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    run = run_program(lab_config)
    project = run.one("kubernetes:argoproj.io/v1alpha1:AppProject", "argocd-default-project")
    assert project.inputs["metadata"]["name"] == "default"
    assert "destinations" not in project.inputs["spec"]
    assert "sourceRepos" not in project.inputs["spec"]
    install = run.one("kubernetes:yaml/v2:ConfigGroup", "argocd")
    assert any(urn.endswith("::argocd-default-project") for urn in install.request.dependencies)


def test_vault_has_a_mount_role_and_policy_per_spoke(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    run = run_program(lab_config)
    for index, spoke in enumerate(SPOKES):
        environment = "staging" if spoke == "staging" else "production"
        mount = run.one("vault:jwt/authBackend:AuthBackend", f"{spoke}-auth")
        assert mount.inputs["path"] == f"jwt-{spoke}"
        assert mount.inputs["boundIssuer"] == f"https://127.0.0.1:{7002 + index}"
        assert mount.inputs["oidcDiscoveryCaPem"] == f"the CA of {spoke}"
        role = run.one("vault:jwt/authBackendRole:AuthBackendRole", f"{spoke}-role")
        assert (
            role.inputs["boundSubject"] == "system:serviceaccount:external-secrets:external-secrets"
        )
        assert role.inputs["boundAudiences"] == ["vault"]
        assert role.inputs["tokenPolicies"] == [f"{spoke}-external-secrets"]
        policy = run.one("vault:index/policy:Policy", f"{spoke}-policy")
        assert 'path "secret/data/*"' in policy.inputs["policy"]
        assert {one.inputs["namespace"] for one in (mount, role, policy)} == {environment}


def test_without_vault_namespaces_the_policy_is_bound_to_the_environment(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    del lab_config["fleet:vault"]["namespace"], lab_config["fleet:vault"]["readPaths"]
    run = run_program(lab_config)
    policy = run.one("vault:index/policy:Policy", "staging-policy").inputs
    assert "namespace" not in policy
    assert 'path "secret/data/staging/*"' in policy["policy"]
    assert "production" not in policy["policy"]
    store = run.one("kubernetes:external-secrets.io/v1:ClusterSecretStore", "staging-store")
    assert "namespace" not in store.inputs["spec"]["provider"]["vault"]


def test_the_store_of_each_spoke(run_program: RunProgram, lab_config: dict[str, Any]) -> None:
    run = run_program(lab_config)
    for spoke in SPOKES:
        store = run.one("kubernetes:external-secrets.io/v1:ClusterSecretStore", f"{spoke}-store")
        assert store.inputs["metadata"]["name"] == "vault-backend"
        vault = store.inputs["spec"]["provider"]["vault"]
        assert vault["version"] == "v2"
        assert vault["auth"]["jwt"]["path"] == f"jwt-{spoke}"
        crds = run.one("kubernetes:yaml/v2:ConfigGroup", f"{spoke}-external-secrets-crds")
        assert crds.request.retainOnDelete, (
            "deleting the CRDs would delete the Secrets of workloads"
        )


def test_platform_services_is_the_article_s(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    one = run_program(lab_config).one(
        "kubernetes:argoproj.io/v1alpha1:ApplicationSet", "fleet-platform-services"
    )
    spec = one.inputs["spec"]
    assert one.inputs["metadata"]["name"] == "platform-services"
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
            "repoURL": "http://127.0.0.1:3000/platform/gitops-config.git",
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


def test_services_never_take_the_hub(run_program: RunProgram, lab_config: dict[str, Any]) -> None:
    spec = (
        run_program(lab_config)
        .one("kubernetes:argoproj.io/v1alpha1:ApplicationSet", "fleet-services")
        .inputs["spec"]
    )
    clusters, git = spec["generators"][0]["matrix"]["generators"]
    assert clusters["clusters"]["selector"]["matchLabels"] == {
        "argocd.argoproj.io/secret-type": "cluster"
    }
    assert git["git"]["directories"] == [
        {"path": 'apps/*/overlays/{{index .metadata.labels "environment"}}'}
    ]


def test_a_new_spoke_changes_no_other_object(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    before = {(one.type, one.name): one.inputs for one in run_program(lab_config).resources}
    lab_config["fleet:spokes"].append(
        {"name": "prod-us-west-2", "environment": "production", "region": "us-west-2"}
    )
    after = {(one.type, one.name): one.inputs for one in run_program(lab_config).resources}
    assert {key: after[key] for key in before} == before
    assert {name.startswith("prod-us-west-2") for _, name in after.keys() - before.keys()} == {True}


def test_outputs(run_program: RunProgram, lab_config: dict[str, Any]) -> None:
    outputs = run_program(lab_config).outputs
    assert set(outputs) == {"argocdNamespace", "spokes", "applicationSets"}
    assert outputs["applicationSets"] == [
        "platform-services",
        "platform-services-staging",
        "services",
    ]


def test_bad_input_registers_nothing_and_shows_no_traceback(
    run_program: RunProgram, lab_config: dict[str, Any]
) -> None:
    lab_config["fleet:spokes"][0]["environment"] = "prod"
    with pytest.raises(
        pulumi.RunError, match=r"stacks/Pulumi.lab.yaml:\d+: fleet:spokes\[0\].environment"
    ):
        run_program(lab_config)
