from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from stacks.desired import vault_identity
from stacks.model.fleet import Fleet
from stacks.model.spoke import USUAL_API_AUDIENCES

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def _fleet(**sections: Any) -> Fleet:
    spoke = {"name": "prod-1", "environment": "production", "region": "eu-west-1"}
    fleet = {
        "hub": {"context": "hub"},
        "gitops": {"repo": "https://git.example.com/gitops-config.git"},
        "vault": {"address": "https://vault.example.com"},
        "externalSecrets": {"chart": "chart"},
        "spokes": [{**spoke, "issuer": "https://oidc.example.com/prod-1"}],
    }
    return Fleet.model_validate({**fleet, **sections})


def _vault(**settings: Any) -> dict[str, Any]:
    return {"address": "https://vault.example.com", **settings}


def _of(fleet: Fleet) -> vault_identity.Identity:
    return vault_identity.of_spoke(fleet, fleet.spokes[0])


def test_a_spoke_has_a_mount_role_and_policy_of_its_own() -> None:
    who = _of(_fleet())
    assert (who.cluster, who.method, who.path) == ("prod-1", "jwt", "jwt-prod-1")
    assert who.issuer == "https://oidc.example.com/prod-1"
    assert who.subject == "system:serviceaccount:external-secrets:external-secrets"
    (grant,) = who.grants
    assert (grant.store, grant.role) == ("vault-backend", "external-secrets")
    assert grant.policy == "prod-1-external-secrets"
    assert grant.conditions == ()


def test_a_policy_reads_its_paths_and_nothing_else() -> None:
    vault = _vault(mount="kv", readPaths=["{environment}/{cluster}/*"])
    (grant,) = _of(_fleet(vault=vault)).grants
    assert grant.policy_text == (
        'path "kv/data/production/prod-1/*" {\n  capabilities = ["read"]\n}\n'
        'path "kv/metadata/production/prod-1/*" {\n  capabilities = ["read", "list"]\n}'
    )


def test_templates_and_the_method_of_a_spoke() -> None:
    vault = _vault(namespace="{environment}/{region}", authPath="k8s/{cluster}", auth="kubernetes")
    who = _of(_fleet(vault=vault))
    assert who.relative_namespace == "production/eu-west-1"
    assert (who.method, who.path) == ("kubernetes", "k8s/prod-1")
    fleet = _fleet(vault=_vault(auth="kubernetes"))
    assert _of(fleet).path == "kubernetes-prod-1"
    jwt = fleet.spokes[0].model_copy(update={"vault_auth": "jwt"})
    assert vault_identity.of_spoke(fleet, jwt).path == "jwt-prod-1"


def test_the_place_of_a_store_decides_nothing() -> None:
    one: dict[str, Any] = {"name": "vault-backend"}
    other = {"name": "payments", "mount": "kv", "readPaths": ["payments/*"]}
    there = {grant.store: grant for grant in _of(_fleet(secretStores=[one, other])).grants}
    back = {grant.store: grant for grant in _of(_fleet(secretStores=[other, one])).grants}
    assert there == back
    assert there["vault-backend"] == _of(_fleet()).grants[0]
    payments = there["payments"]
    assert (payments.suffix, payments.role) == ("-payments", "external-secrets-payments")
    assert payments.policy == "prod-1-external-secrets-payments"
    assert (payments.mount, payments.read_paths) == ("kv", ("payments/*",))


def test_conditions_are_alternatives() -> None:
    store = {
        "name": "payments",
        "namespaces": ["a", "b"],
        "namespaceLabels": {"team": "pay", "env": "x"},
    }
    fleet = _fleet(secretStores=[store])
    (made,) = vault_identity.stores(fleet, _of(fleet))
    assert made["spec"]["conditions"] == [
        {"namespaces": ["a", "b"]},
        {"namespaceSelector": {"matchLabels": {"env": "x", "team": "pay"}}},
    ]


def test_a_store_of_jwt(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CA)
    vault = _vault(caFile=str(tmp_path / "ca.pem"), namespace="{environment}", audience="the-vault")
    fleet = _fleet(vault=vault)
    (made,) = vault_identity.stores(fleet, _of(fleet))
    assert made == {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterSecretStore",
        "metadata": {"name": "vault-backend"},
        "spec": {
            "provider": {
                "vault": {
                    "server": "https://vault.example.com",
                    "path": "secret",
                    "version": "v2",
                    "namespace": "production",
                    "caBundle": base64.b64encode(CA.encode()).decode(),
                    "auth": {
                        "jwt": {
                            "path": "jwt-prod-1",
                            "role": "external-secrets",
                            "kubernetesServiceAccountToken": {
                                "serviceAccountRef": {
                                    "name": "external-secrets",
                                    "namespace": "external-secrets",
                                    "audiences": ["the-vault"],
                                },
                                "expirationSeconds": 600,
                            },
                        }
                    },
                }
            }
        },
    }


def _audiences(spoke: dict[str, Any], **vault: Any) -> list[str]:
    one = {"name": "prod-1", "environment": "production", "region": "eu-west-1", **spoke}
    fleet = _fleet(vault=_vault(auth="kubernetes", **vault), spokes=[one])
    (made,) = vault_identity.stores(fleet, _of(fleet))
    auth = made["spec"]["provider"]["vault"]["auth"]["kubernetes"]
    assert (auth["mountPath"], auth["role"]) == ("kubernetes-prod-1", "external-secrets")
    return list(auth["serviceAccountRef"]["audiences"])


def test_a_token_for_kubernetes_auth_is_good_for_vault_and_for_the_api_server() -> None:
    usual = list(USUAL_API_AUDIENCES)
    issuer = "https://oidc.example.com/prod-1"
    assert _audiences({}) == ["vault", *usual], "never guessed from the server"
    assert _audiences({"issuer": issuer}) == ["vault", issuer, *usual]
    assert _audiences({"issuer": issuer, "apiAudience": "api"}) == ["vault", "api"]
    assert _audiences({"issuer": issuer}, audience=issuer) == [issuer, *usual]


def test_the_hub_reads_the_credentials_of_spokes_for_argocd_alone() -> None:
    store = {"namespace": "platform", "readPaths": ["clusters/*"]}
    fleet = _fleet(hub={"context": "hub", "secretStore": store}, argocd={"namespace": "argo"})
    who = vault_identity.of_hub(fleet, "https://hub.example.com")
    assert (who.cluster, who.path, who.method) == ("hub", "jwt-hub", "jwt")
    assert (who.issuer, who.relative_namespace) == ("https://hub.example.com", "platform")
    (grant,) = who.grants
    assert (grant.store, grant.suffix) == ("fleet-clusters", "")
    assert (grant.role, grant.policy) == ("external-secrets", "hub-external-secrets")
    (made,) = vault_identity.stores(fleet, who)
    assert made["spec"]["conditions"] == [{"namespaces": ["argo"]}]
    assert "secret/data/clusters/*" in grant.policy_text
    given = _fleet(hub={"context": "hub", "secretStore": {"issuer": "https://issuer.example.com"}})
    assert (
        vault_identity.of_hub(given, "https://hub.example.com").issuer
        == "https://issuer.example.com"
    )


def test_kv_mounts_are_each_named_once() -> None:
    spokes = [
        {"name": name, "environment": environment, "region": "eu"}
        for name, environment in (("a", "production"), ("b", "production"), ("c", "staging"))
    ]
    fleet = _fleet(
        spokes=spokes,
        vault=_vault(namespace="{environment}"),
        secretStores=[{"name": "vault-backend"}, {"name": "other", "mount": "kv"}],
        hub={"context": "hub", "secretStore": {"mount": "clusters"}},
    )
    assert vault_identity.kv_mounts(fleet) == [
        (None, "clusters"),
        ("production", "kv"),
        ("production", "secret"),
        ("staging", "kv"),
        ("staging", "secret"),
    ]


def test_public_keys_are_one_text_each_without_a_line_break_at_the_end(tmp_path: Path) -> None:
    keys = [
        f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----"
        for body in ("AAA", "BBB", "CCC")
    ]
    (tmp_path / "old.pem").write_text(keys[0] + "\n")
    (tmp_path / "new.pem").write_text(f"# rotated\n{keys[1]}\n\n{keys[2]}\n")
    found = vault_identity.public_keys([str(tmp_path / "old.pem"), str(tmp_path / "new.pem")])
    assert found == keys
    assert vault_identity.public_keys([]) == []


PARENTS = [None, "admin", "admin/team"]
NAMESPACES = [None, "{environment}", "team/{environment}/{region}", "{cluster}"]


@pytest.mark.parametrize("hub", [None, "hub", "platform/hub"])
@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("parent", PARENTS)
def test_a_full_namespace_is_the_relative_one_below_the_parent(
    parent: str | None, namespace: str | None, hub: str | None
) -> None:
    fleet = _fleet(
        vault=_vault(parentNamespace=parent, namespace=namespace, manageMount=True),
        hub={"context": "hub", "secretStore": {"namespace": hub}},
    )
    spoke, of_hub = vault_identity.everyone(fleet)
    filled = fleet.spokes[0].fill(namespace) if namespace else None
    assert (spoke.relative_namespace, of_hub.relative_namespace) == (filled, hub)
    for who in (spoke, of_hub):
        joined = "/".join(part for part in (parent, who.relative_namespace) if part)
        assert (who.full_namespace or "") == joined
        for store in vault_identity.stores(fleet, who):
            assert store["spec"]["provider"]["vault"].get("namespace", "") == joined
    # The engines are the provider's to make, which puts the parent before them.
    assert {place for place, _ in vault_identity.kv_mounts(fleet)} == {filled, hub}
