"""How a spoke is registered: the exact cluster Secret of every kind of auth, and what Argo CD may do there."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from stacks.desired import argocd_manager
from tests.program.conftest import (
    CANARIES,
    CLIENT_CERTIFICATE,
    TOKEN,
    Run,
    RunProgram,
    ca_of,
    example,
    kubeconfig,
    server_of,
    spoke_of,
)
from tests.program.test_every_stack import secrets_in_clear

SPOKE = "prod-us-east-1"
CA = base64.b64encode(ca_of(SPOKE).encode()).decode()
TLS = {"insecure": False, "caData": CA}
CERTIFICATE = base64.b64encode(CLIENT_CERTIFICATE.encode()).decode()
PLUGIN = {"command": "argocd-k8s-auth", "apiVersion": "client.authentication.k8s.io/v1beta1"}


def registered(
    run_program: RunProgram, users: dict[str, Any] | None = None, **block: Any
) -> tuple[Run, dict[str, Any], dict[str, Any]]:
    """A run in which the block of the spoke has these keys; what its cluster Secret and that one's `config` hold."""
    config = example("production")
    spoke_of(config, SPOKE).update(block)
    run = run_program("production", config, users=users)
    assert not secrets_in_clear(run)
    secret = run.object("Secret", f"cluster-{SPOKE}", "hub")
    assert secret.is_secret("stringData")
    data = secret.inputs["stringData"]
    return run, data, json.loads(data["config"])


def test_a_service_account_by_default(run_program: RunProgram) -> None:
    run, data, config = registered(run_program)
    assert data["name"] == SPOKE
    assert data["server"] == server_of(SPOKE)
    assert set(data) == {"name", "server", "config"}
    assert config == {"bearerToken": TOKEN, "tlsClientConfig": TLS}
    account = run.object("ServiceAccount", "argocd-manager", SPOKE)
    assert account.inputs["metadata"]["namespace"] == "kube-system"
    secret = run.object("Secret", f"cluster-{SPOKE}", "hub").inputs
    assert secret["type"] == "Opaque"
    assert secret["metadata"]["labels"] == {
        "argocd.argoproj.io/secret-type": "cluster",
        "cluster_name": SPOKE,
        "enable_external_secrets": "true",
        "environment": "production",
        "external_secrets_delivery": "pulumi",
        "fleet_stack": "production",
        "region": "us-east-1",
    }


CLOUDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "eks": (
        {"kind": "eks", "clusterName": "use1", "roleArn": "arn:aws:iam::111111111111:role/argocd"},
        {
            "awsAuthConfig": {
                "clusterName": "use1",
                "roleARN": "arn:aws:iam::111111111111:role/argocd",
            }
        },
    ),
    "gke": ({"kind": "gke"}, {"execProviderConfig": {**PLUGIN, "args": ["gcp"]}}),
    "exec": (
        {"kind": "exec", "command": "/custom/login", "args": ["x"], "env": {"A": "b"}},
        {
            "execProviderConfig": {
                "command": "/custom/login",
                "args": ["x"],
                "env": {"A": "b"},
                "apiVersion": "client.authentication.k8s.io/v1beta1",
            }
        },
    ),
}


@pytest.mark.parametrize("kind", CLOUDS)
def test_an_identity_without_a_secret(run_program: RunProgram, kind: str) -> None:
    auth, expected = CLOUDS[kind]
    run, _, config = registered(run_program, auth=auth, issuer="https://oidc.example.com/1")
    assert config == {**expected, "tlsClientConfig": TLS}
    assert not [one for one in run.on(SPOKE) if "argocd-manager" in one.name]


def test_azure(run_program: RunProgram) -> None:
    auth = {"kind": "aks", "clientId": "the-client", "tenantId": "the-tenant"}
    _, _, config = registered(run_program, auth=auth, issuer="https://oidc.example.com/1")
    plugin = config["execProviderConfig"]
    assert (plugin["command"], plugin["args"]) == ("argocd-k8s-auth", ["azure"])
    assert plugin["env"]["AAD_LOGIN_METHOD"] == "workloadidentity"
    assert plugin["env"]["AZURE_CLIENT_ID"] == "the-client"
    assert plugin["env"]["AZURE_TENANT_ID"] == "the-tenant"


USERS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "token": (
        {"token": CANARIES["token"]},
        {"bearerToken": CANARIES["token"], "tlsClientConfig": TLS},
    ),
    "clientCertificate": (
        {
            "client-certificate-data": CERTIFICATE,
            "client-key-data": CANARIES["client-key-data"],
        },
        {
            "tlsClientConfig": {
                **TLS,
                "certData": CERTIFICATE,
                "keyData": CANARIES["client-key-data"],
            }
        },
    ),
    "basic": (
        {"username": "argocd", "password": CANARIES["password"]},
        {"username": "argocd", "password": CANARIES["password"], "tlsClientConfig": TLS},
    ),
}


@pytest.mark.parametrize("kind", USERS)
def test_the_credential_of_the_context(run_program: RunProgram, kind: str) -> None:
    user, expected = USERS[kind]
    run, _, config = registered(run_program, users={SPOKE: user}, auth={"kind": kind})
    assert config == expected
    assert not [one for one in run.on(SPOKE) if "argocd-manager" in one.name]


def test_a_credential_from_vault_is_never_pulumi_s(run_program: RunProgram) -> None:
    config = example("production")
    spoke_of(config, SPOKE)["auth"] = {"kind": "vault"}
    run = run_program("production", config)
    rendered = run.object("ExternalSecret", f"cluster-{SPOKE}", "hub")
    assert rendered.inputs["metadata"]["namespace"] == "argocd"
    spec = rendered.inputs["spec"]
    assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "fleet-clusters"}
    assert f"clusters/{SPOKE}" in json.dumps(spec)
    template = spec["target"]["template"]
    labels = template["metadata"]["labels"]
    assert labels["fleet_stack"] == "production"
    assert labels["argocd.argoproj.io/secret-type"] == "cluster"
    assert template["metadata"]["annotations"]["addons_repo_path"] == f"{SPOKE}/platform"
    assert template["type"] == "Opaque"
    assert template["data"]["name"] == SPOKE
    assert template["data"]["server"] == server_of(SPOKE)
    assert "bearerToken" in template["data"]["config"]
    assert CA in template["data"]["config"]
    assert f"cluster-{SPOKE}" not in {
        one.inputs["metadata"]["name"] for one in run.of("core/v1:Secret")
    }
    assert not [one for one in run.on(SPOKE) if "argocd-manager" in one.name]


def test_the_hub_as_a_spoke(run_program: RunProgram) -> None:
    config = example("lab")
    config["fleet:spokes"].append(
        {
            "name": "management",
            "environment": "production",
            "region": "us-east-1",
            "auth": {"kind": "inCluster"},
        }
    )
    run = run_program("lab", config)
    secret = run.object("Secret", "cluster-management", "hub").inputs["stringData"]
    assert secret["server"] == "https://kubernetes.default.svc"
    assert "bearerToken" not in secret["config"]
    assert "management" not in {one.name for one in run.of("pulumi:providers:kubernetes")}
    assert run.object("ClusterSecretStore", "vault-backend", "hub")
    shut, opened = (
        run.object("AppProject", name, "hub").inputs["spec"]["destinations"]
        for name in ("platform", "hub")
    )
    assert {"server": "!https://kubernetes.default.svc", "namespace": "*"} in shut
    assert {"server": "https://kubernetes.default.svc", "namespace": "*"} in opened
    (install,) = [one for one in run.of("yaml/v2:ConfigGroup") if one.name == "argocd"]
    (settings,) = [one for one in install.inputs["objs"] if one["kind"] == "ConfigMap"]
    assert settings["data"]["cluster.inClusterEnabled"] == "true"


def test_the_way_to_the_spoke(run_program: RunProgram) -> None:
    _, data, config = registered(
        run_program,
        server="https://spoke.example.com/",
        tls={"serverName": "kubernetes"},
        proxyUrl="http://proxy.example.com:3128",
        disableCompression=True,
        project="platform",
    )
    assert data["server"] == "https://spoke.example.com"
    assert data["project"] == "platform"
    assert config["proxyUrl"] == "http://proxy.example.com:3128"
    assert config["disableCompression"] is True
    assert config["tlsClientConfig"] == {**TLS, "serverName": "kubernetes"}


def test_least_privilege_by_default(run_program: RunProgram) -> None:
    run, data, _ = registered(run_program)
    role = run.object("ClusterRole", argocd_manager.ROLE, SPOKE)
    assert role.inputs["rules"]
    for rule in role.inputs["rules"]:
        assert "*" not in rule.get("apiGroups", [])
        assert "*" not in rule["verbs"]
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        assert not {"secrets", "serviceaccounts/token", "pods/exec"} & set(rule["resources"])
    binding = run.object("ClusterRoleBinding", argocd_manager.BINDING, SPOKE)
    assert binding.inputs["roleRef"]["name"] == argocd_manager.ROLE
    assert "namespaces" not in data


def test_cluster_admin_on_request(run_program: RunProgram) -> None:
    run, _, _ = registered(run_program, rbac={"clusterAdmin": True})
    asked = run.object("ClusterRole", argocd_manager.ROLE, SPOKE)
    assert asked.inputs["rules"][0]["verbs"] == ["*"]
    other = run.object("ClusterRole", argocd_manager.ROLE, "prod-us-west-2")
    assert all(rule["verbs"] != ["*"] for rule in other.inputs["rules"])


def test_more_rules(run_program: RunProgram) -> None:
    rule = {"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get", "list"]}
    run, _, _ = registered(run_program, rbac={"rules": [rule]})
    assert rule in run.object("ClusterRole", argocd_manager.ROLE, SPOKE).inputs["rules"]


def test_namespaces_only(run_program: RunProgram) -> None:
    run, data, _ = registered(run_program, rbac={"namespaces": ["team-a", "team-b", "platform"]})
    assert data["namespaces"] == "team-a,team-b,platform"
    assert data["clusterResources"] == "false"
    roles = [
        one.inputs["metadata"]["namespace"]
        for one in run.on(SPOKE)
        if one.type.endswith("v1:Role") and one.inputs["metadata"]["name"] == argocd_manager.ROLE
    ]
    assert sorted(roles) == ["platform", "team-a", "team-b"]
    assert not [
        one
        for one in run.on(SPOKE)
        if one.type.endswith(":ClusterRole")
        and one.inputs["metadata"]["name"] == argocd_manager.ROLE
    ]


def test_a_spoke_is_registered_last(run_program: RunProgram) -> None:
    run = run_program("production")
    cluster = run.one("fleet:index:SpokeCluster", SPOKE)
    secret = run.object("Secret", f"cluster-{SPOKE}", "hub")
    waits = {urn.split("::")[-1] for urn in secret.request.dependencies}
    waits |= {urn.split("::")[-1] for urn in cluster.request.dependencies}
    assert f"{SPOKE}-store" in waits, "Argo CD deploys as soon as it knows of a spoke"


def test_the_kubeconfig_of_these_tests_has_every_canary() -> None:
    users = {SPOKE: USERS["basic"][0], "staging": USERS["clientCertificate"][0]}
    assert all(canary in kubeconfig(users) for canary in CANARIES.values())


def test_argocd_manager_in_another_namespace(run_program: RunProgram) -> None:
    run, _, config = registered(run_program, rbac={"accountNamespace": "argocd-access"})
    assert config["bearerToken"] == TOKEN
    for kind, name in (("ServiceAccount", "argocd-manager"), ("Secret", "argocd-manager-token")):
        made = run.object(kind, name, SPOKE)
        assert made.inputs["metadata"]["namespace"] == "argocd-access"
    binding = run.object("ClusterRoleBinding", "argocd-manager-role-binding", SPOKE)
    assert [one["namespace"] for one in binding.inputs["subjects"]] == ["argocd-access"]
