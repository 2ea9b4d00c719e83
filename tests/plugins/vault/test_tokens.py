"""A token with the documented policy and no more, of Vault's root, of the parent namespace, and of one above that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fleet.vault_entry import Entry, VaultError, Writer
from live import vault_state
from stacks.desired import vault_identity
from stacks.model.errors import StackError
from stacks.model.fleet import Fleet
from tests.documented_policy import for_credential, for_fleet
from tests.plugins.vault.conftest import CHECKOUT, Bao

pytestmark = pytest.mark.plugins

# Where the token is of, and what of the way to production's namespace the policy then has before its paths.
HOMES = {"root": ("", "{parent}/production/"), "parent": ("{parent}", "production/")}


def token_of(bao: Bao, home: str, policy: str, **more: Any) -> str:
    client = bao.client(home or None)
    client.sys.create_or_update_acl_policy("documented", policy, pretty_print=False)
    made = client.auth.token.create(policies=["documented"], **{"ttl": "1h", **more})
    return str(made["auth"]["client_token"])


@pytest.fixture
def parent(bao: Bao, mount: str) -> str:
    bao.client().sys.create_namespace(mount)
    bao.client(mount).sys.create_namespace("production")
    return mount


def fleet_below(bao: Bao, parent: str | None) -> Fleet:
    settings = {"address": bao.address, "caFile": str(bao.authority.certificate)}
    return Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.lab/gitops-config.git"},
            "vault": {**settings, "namespace": "production", "parentNamespace": parent},
            "externalSecrets": {"chart": "chart"},
            "spokes": [
                {
                    "name": "prod-1",
                    "environment": "production",
                    "region": "eu",
                    "issuer": "https://spoke-a.lab",
                }
            ],
        }
    )


def program(fleet: Fleet, key: Path) -> str:
    return f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from components.providers import vault_provider
from components.vault_identity import VaultIdentity, VaultIdentityArgs
from stacks.desired import vault_identity as identity
from stacks.model.fleet import Fleet

fleet = Fleet.model_validate_json({fleet.model_dump_json(by_alias=True, exclude_unset=True)!r})
VaultIdentity("a", VaultIdentityArgs(
    fleet=fleet, identity=identity.of_spoke(fleet, fleet.spokes[0]), provider=vault_provider(fleet.vault),
    server="https://127.0.0.1:1", ca_pem="", public_keys=[{str(key)!r}]))
"""


@pytest.mark.parametrize("home", HOMES)
def test_the_documented_policy_is_enough_below_a_parent(
    stack, bao, issuer, parent, home, tmp_path, monkeypatch
):
    where, before = (text.format(parent=parent) for text in HOMES[home])
    token = token_of(bao, where, for_fleet(before))
    monkeypatch.setenv("VAULT_TOKEN", token)
    monkeypatch.delenv("VAULT_NAMESPACE", raising=False)
    fleet = fleet_below(bao, parent)
    assert vault_state.require(fleet, "trial", preview=False) == []

    (tmp_path / "key.pem").write_text(issuer.public_pem)
    stack.environment["VAULT_TOKEN"] = token
    stack.up(program(fleet, tmp_path / "key.pem"))
    stack.unchanged()
    # What the store is told, and not what the provider is, leads a client to it.
    who = vault_identity.of_spoke(fleet, fleet.spokes[0])
    (store,) = vault_identity.stores(fleet, who)
    namespace = store["spec"]["provider"]["vault"]["namespace"]
    assert namespace == f"{parent}/production"
    jwt = issuer.token(subject="system:serviceaccount:external-secrets:external-secrets")
    client = bao.client(namespace, token="")
    login = client.auth.jwt.jwt_login("external-secrets", jwt, path="jwt-prod-1")
    assert "prod-1-external-secrets" in login["auth"]["policies"]
    stack.pulumi("destroy", "--yes", "--skip-preview")
    assert "jwt-prod-1/" not in bao.client(namespace).sys.list_auth_methods()["data"]


def test_a_token_of_the_parent_is_refused_where_the_stack_names_none(bao, parent, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", token_of(bao, parent, "# nothing"))
    monkeypatch.delenv("VAULT_NAMESPACE", raising=False)
    with pytest.raises(StackError, match=f"write `parentNamespace: {parent}`"):
        vault_state.require(fleet_below(bao, None), "trial", preview=True)


def test_a_token_that_may_too_little_is_warned_of_and_a_dead_one_refused(bao, parent, monkeypatch):
    policy = 'path "auth/token/lookup-self" { capabilities = ["read"] }'
    token = token_of(bao, parent, policy, ttl="5m")
    monkeypatch.setenv("VAULT_TOKEN", token)
    monkeypatch.delenv("VAULT_NAMESPACE", raising=False)
    fleet = fleet_below(bao, parent)
    short, lacking = vault_state.require(fleet, "trial", preview=False)
    assert re.search(r"ends in (5 min 0 s|4 min)", short)
    assert (
        "has the policies default, documented, by which it may not write production/sys/auth/jwt-prod-1"
        in lacking
    )
    bao.client(parent).auth.token.revoke(token)
    with pytest.raises(StackError, match="refuses the token in VAULT_TOKEN") as caught:
        vault_state.require(fleet, "trial", preview=False)
    assert token not in str(caught.value)


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("home", HOMES)
def test_fleet_credential_asks_and_writes_with_the_documented_policy(bao, parent, home, default):
    """Without Vault's own policy `default` too, by which every token may ask what it may in its own namespace."""
    where, before = (text.format(parent=parent) for text in HOMES[home])
    token = token_of(bao, where, for_credential(before), no_default_policy=not default)
    inner = bao.client(f"{parent}/production")
    inner.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    kv = inner.secrets.kv.v2
    bao._until(lambda: kv.create_or_update_secret("other", {"v": "1"}), "a kv v2 mount")

    vault = fleet_below(bao, parent).vault
    entry = Entry("secret", "clusters/prod-1", vault.full_namespace("production"))
    writer = Writer(vault, entry, token)
    writer.check()
    writer.write({"bearerToken": "x"})
    read = kv.read_secret_version("clusters/prod-1", raise_on_deleted_version=True)
    assert read["data"]["data"] == {"bearerToken": "x"}
    elsewhere = Writer(vault, Entry("secret", "other", f"{parent}/production"), token)
    with pytest.raises(VaultError, match="may not write secret/other in namespace"):
        elsewhere.check()
