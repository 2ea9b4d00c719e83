"""Who a spoke is to Vault, External Secrets on it, and its stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.program.conftest import Registered, Run, RunProgram, ca_of, example, server_of, spoke_of

SPOKES = {"prod-us-east-1": "production", "prod-eu-west-1": "production", "staging": "staging"}


def store_of(run: Run, spoke: str, name: str = "vault-backend") -> dict[str, Any]:
    found: dict[str, Any] = run.object("ClusterSecretStore", name, spoke).inputs["spec"]
    return found


def in_vault(run: Run, kind: str, spoke: str) -> list[Registered]:
    return [one for one in run.of(kind) if one.name.startswith(f"{spoke}-")]


def test_a_mount_role_and_policy_per_spoke(run_program: RunProgram) -> None:
    run = run_program("lab")
    for spoke, environment in SPOKES.items():
        (mount,) = in_vault(run, "jwt/authBackend:AuthBackend", spoke)
        assert mount.inputs["path"] == f"jwt-{spoke}"
        assert mount.inputs["boundIssuer"] == server_of(spoke)
        assert mount.inputs["oidcDiscoveryUrl"] == server_of(spoke)
        assert mount.inputs["oidcDiscoveryCaPem"] == ca_of(spoke).strip()
        (role,) = in_vault(run, "jwt/authBackendRole:AuthBackendRole", spoke)
        assert (
            role.inputs["boundSubject"] == "system:serviceaccount:external-secrets:external-secrets"
        )
        assert role.inputs["boundAudiences"] == ["vault"]
        assert role.inputs["tokenPolicies"] == [f"{spoke}-external-secrets"]
        (policy,) = in_vault(run, "index/policy:Policy", spoke)
        assert 'path "secret/data/*"' in policy.inputs["policy"]
        assert {one.inputs["namespace"] for one in (mount, role, policy)} == {environment}
        for one in (mount, role, policy):
            assert not one.request.retainOnDelete, "it goes with the spoke"


def test_without_vault_namespaces_the_policy_is_bound_to_the_environment(
    run_program: RunProgram,
) -> None:
    config = example("lab")
    del config["fleet:vault"]["namespace"], config["fleet:vault"]["readPaths"]
    run = run_program("lab", config)
    (policy,) = in_vault(run, "index/policy:Policy", "staging")
    assert "namespace" not in policy.inputs
    assert 'path "secret/data/staging/*"' in policy.inputs["policy"]
    assert "production" not in policy.inputs["policy"]
    assert "namespace" not in store_of(run, "staging")["provider"]["vault"]


def test_the_store_of_each_spoke(run_program: RunProgram) -> None:
    run = run_program("lab")
    for spoke in SPOKES:
        vault = store_of(run, spoke)["provider"]["vault"]
        assert vault["version"] == "v2"
        assert vault["auth"]["jwt"]["path"] == f"jwt-{spoke}"
        crds = run.object("ConfigMap", "external-secrets-crds", spoke)
        assert list(crds.inputs["data"]) == ["externalsecrets.external-secrets.io"]


def test_external_secrets_takes_tokens_of_its_own_account_only(run_program: RunProgram) -> None:
    run = run_program("dev")
    (chart,) = run.of("helm.sh/v4:Chart")
    assert chart.inputs["values"]["rbac"]["create"] is False
    tokens = [
        (one.type.rsplit(":", 1)[-1], one.inputs["metadata"].get("namespace"), rule)
        for one in run.on("dev")
        for rule in one.inputs.get("rules", [])
        if "serviceaccounts/token" in rule.get("resources", [])
    ]
    ((kind, namespace, rule),) = tokens
    assert (kind, namespace) == ("Role", "external-secrets")
    assert rule["resourceNames"] == ["external-secrets"]
    assert rule["verbs"] == ["create"]


def test_public_keys_instead_of_discovery(run_program: RunProgram, pem_files: Path) -> None:
    config = example("production")
    key = pem_files / "sa.pub"
    spoke_of(config, "prod-us-east-1").update(
        jwtPublicKeys=[str(key)], issuer="https://kubernetes.default.svc.cluster.local"
    )
    run = run_program("production", config)
    (mount,) = in_vault(run, "jwt/authBackend:AuthBackend", "prod-us-east-1")
    assert mount.inputs["jwtValidationPubkeys"] == [key.read_text().strip()]
    assert "oidcDiscoveryUrl" not in mount.inputs
    assert mount.inputs["boundIssuer"] == "https://kubernetes.default.svc.cluster.local"
    (other,) = in_vault(run, "jwt/authBackend:AuthBackend", "prod-us-west-2")
    assert "oidcDiscoveryUrl" in other.inputs


def test_kubernetes_auth(run_program: RunProgram) -> None:
    config = example("production")
    spoke_of(config, "prod-eu-west-1")["vaultAuth"] = "kubernetes"
    run = run_program("production", config)
    (mount,) = in_vault(run, "index/authBackend:AuthBackend", "prod-eu-west-1")
    assert (mount.inputs["type"], mount.inputs["path"]) == (
        "kubernetes",
        "kubernetes-prod-eu-west-1",
    )
    (settings,) = in_vault(run, ":AuthBackendConfig", "prod-eu-west-1")
    assert settings.inputs["kubernetesHost"] == server_of("prod-eu-west-1")
    assert settings.inputs["disableLocalCaJwt"] is True
    assert "tokenReviewerJwt" not in settings.inputs, "Vault keeps no token of the cluster"
    (role,) = in_vault(run, "kubernetes/authBackendRole:AuthBackendRole", "prod-eu-west-1")
    assert role.inputs["audience"] == "vault"
    assert role.inputs["boundServiceAccountNames"] == ["external-secrets"]
    assert role.inputs["boundServiceAccountNamespaces"] == ["external-secrets"]
    auth = store_of(run, "prod-eu-west-1")["provider"]["vault"]["auth"]
    assert auth["kubernetes"]["mountPath"] == "kubernetes-prod-eu-west-1"
    assert not in_vault(run, "jwt/authBackend:AuthBackend", "prod-eu-west-1")
    assert in_vault(run, "jwt/authBackend:AuthBackend", "prod-us-east-1")
    reviews = [
        one
        for one in run.on("prod-eu-west-1")
        if one.inputs.get("roleRef", {}).get("name") == "system:auth-delegator"
    ]
    assert len(reviews) == 1


STORES = [
    {"name": "vault-backend"},
    {
        "name": "payments",
        "mount": "payments",
        "readPaths": ["{environment}/payments/*"],
        "namespaces": ["payment-service"],
    },
    {"name": "shared", "namespaceLabels": {"team": "platform"}},
]


def test_several_stores(run_program: RunProgram) -> None:
    before = run_program("dev").keyed()
    config = example("dev")
    config["fleet:secretStores"] = STORES
    run = run_program("dev", config)
    after = run.keyed()
    assert {key: after[key].inputs for key in before} == {
        key: one.inputs for key, one in before.items()
    }, "a second store changes nothing of the first"
    assert "conditions" not in store_of(run, "dev")
    payments, shared = store_of(run, "dev", "payments"), store_of(run, "dev", "shared")
    assert payments["conditions"] == [{"namespaces": ["payment-service"]}]
    assert payments["provider"]["vault"]["path"] == "payments"
    assert shared["conditions"] == [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}]
    policies = {one.inputs["name"]: one.inputs["policy"] for one in run.of(":Policy")}
    assert set(policies) == {
        "dev-external-secrets",
        "dev-external-secrets-payments",
        "dev-external-secrets-shared",
    }
    assert 'path "payments/data/dev/payments/*"' in policies["dev-external-secrets-payments"]
    roles = {one.inputs["roleName"]: one.inputs["tokenPolicies"] for one in run.of("BackendRole")}
    assert roles["external-secrets-payments"] == ["dev-external-secrets-payments"]
    assert payments["provider"]["vault"]["auth"]["jwt"]["role"] == "external-secrets-payments"


@pytest.mark.parametrize("manage", [True, False])
def test_the_kv_engine_is_made_on_request_and_kept(run_program: RunProgram, manage: bool) -> None:
    config = example("lab")
    config["fleet:vault"]["manageMount"] = manage
    mounts = run_program("lab", config).of("vault:index/mount:Mount")
    namespaces = {one.inputs.get("namespace") for one in mounts}
    assert namespaces == ({"production", "staging"} if manage else set())
    for one in mounts:
        assert one.inputs["path"] == "secret"
        assert one.inputs["options"] == {"version": "2"}
        assert one.request.retainOnDelete, "every secret would go with it"


def test_paths_by_template(run_program: RunProgram) -> None:
    config = example("dev")
    config["fleet:vault"].update(
        namespace="teams/{environment}",
        authPath="fleet/{environment}/{cluster}",
        readPaths=["{region}/{cluster}/*"],
        role="eso",
        tokenTtl=300,
        tokenMaxTtl=900,
    )
    run = run_program("dev", config)
    (mount,) = run.of("jwt/authBackend:AuthBackend")
    assert mount.inputs["path"] == "fleet/dev/dev"
    assert mount.inputs["namespace"] == "teams/dev"
    (role,) = run.of("jwt/authBackendRole:AuthBackendRole")
    assert (role.inputs["roleName"], role.inputs["tokenPolicies"]) == ("eso", ["dev-eso"])
    assert (role.inputs["tokenTtl"], role.inputs["tokenMaxTtl"]) == (300, 900)
    (policy,) = run.of(":Policy")
    assert 'path "secret/data/us-east-1/dev/*"' in policy.inputs["policy"]
    jwt = store_of(run, "dev")["provider"]["vault"]["auth"]["jwt"]
    assert (jwt["path"], jwt["role"]) == ("fleet/dev/dev", "eso")


def test_external_secrets_that_is_there_already(run_program: RunProgram) -> None:
    config = example("dev")
    config["fleet:externalSecrets"] = {
        "installed": True,
        "namespace": "eso",
        "serviceAccount": "eso",
    }
    run = run_program("dev", config)
    assert not run.of(":Chart")
    assert not run.of(":ConfigGroup")
    assert "eso" not in {one.inputs["metadata"]["name"] for one in run.of(":Namespace")}
    account = store_of(run, "dev")["provider"]["vault"]["auth"]["jwt"][
        "kubernetesServiceAccountToken"
    ]["serviceAccountRef"]
    assert (account["name"], account["namespace"]) == ("eso", "eso")


MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: external-secrets}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: externalsecrets.external-secrets.io}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: external-secrets, namespace: external-secrets}
"""


def test_external_secrets_from_manifests(run_program: RunProgram, tmp_path: Path) -> None:
    config = example("dev")
    (tmp_path / "external-secrets.yaml").write_text(MANIFEST)
    config["fleet:externalSecrets"] = {"manifests": str(tmp_path / "external-secrets.yaml")}
    run = run_program("dev", config)
    assert not run.of(":Chart")
    crds = run.object("ConfigMap", "external-secrets-crds", "dev")
    assert list(crds.inputs["data"]) == ["externalsecrets.external-secrets.io"]
    rest = run.one(":ConfigGroup", "dev-external-secrets")
    assert not rest.request.retainOnDelete
    assert [one["kind"] for one in rest.inputs["objs"]] == ["Deployment"]
    assert len([one for one in run.of(":Namespace") if "dev" in one.providers]) == 1


@pytest.mark.parametrize(
    "source",
    [
        {"repo": "${FLEET_CHART_REPO}", "chart": "external-secrets", "version": "0.19.2"},
        {"chart": "oci://registry.example.com/charts/external-secrets", "version": "0.19.2"},
    ],
)
def test_external_secrets_from_a_registry(run_program: RunProgram, source: dict[str, str]) -> None:
    config = example("dev")
    config["fleet:externalSecrets"] = source
    (chart,) = run_program("dev", config).of(":Chart")
    assert chart.inputs["chart"] == source["chart"]
    assert chart.inputs["version"] == "0.19.2"
    repo = chart.inputs.get("repositoryOpts", {}).get("repo")
    assert repo == ("https://127.0.0.1:3001/charts" if "repo" in source else None)
    assert chart.inputs["values"]["crds"]["annotations"] == {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize("stack", ["lab", "hub", "production"])
def test_below_a_parent_namespace_the_provider_has_it_and_stores_the_whole_path(
    run_program: RunProgram, stack: str
) -> None:
    without = run_program(stack)
    assert without.of("pulumi:providers:vault")[0].name == "vault"
    config = example(stack)
    config["fleet:vault"]["parentNamespace"] = "corp/team"
    run = run_program(stack, config)
    (provider,) = run.of("pulumi:providers:vault")
    assert provider.inputs["namespace"] == "corp/team"
    assert provider.name == "vault-corp/team", "what is below another is deleted there, not here"

    made, before = (
        {one.name: one for one in some.resources if one.type.startswith("vault:")}
        for some in (run, without)
    )
    assert made.keys() == before.keys()
    for name, one in made.items():
        assert one.inputs.get("namespace") == before[name].inputs.get("namespace")
        triggers = {one.request.replacement_trigger.string_value for one in (one, before[name])}
        assert triggers == {"corp/team", "/"}, "and all of it is made anew"

    def namespaces(of: Run) -> dict[str, str]:
        return {
            one.name: one.inputs["spec"]["provider"]["vault"].get("namespace", "")
            for one in of.of(":ClusterSecretStore")
        }

    assert namespaces(without)
    assert namespaces(run) == {
        name: "/".join(filter(None, ("corp/team", namespace)))
        for name, namespace in namespaces(without).items()
    }
