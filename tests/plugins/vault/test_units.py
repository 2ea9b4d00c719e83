"""The vault plugin's pure parts: checks, defaults, differences, drift, settings."""

from __future__ import annotations

import asyncio

import pytest
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import CheckRequest, DiffRequest
from pulumi.runtime import rpc

from lab.plugins.vault import check, settings
from lab.plugins.vault.diff import compare
from lab.plugins.vault.provider import VaultProvider
from lab.plugins.vault.resources import HANDLERS
from lab.plugins.vault.resources.jwt_auth_backend import JwtAuthBackend
from lab.plugins.vault.resources.jwt_role import JWT_ROLE
from lab.plugins.vault.schema import Field, seconds, snake
from lab.plugins.vault.state import inputs_from, outputs_from
from lab.plugins.vault.values import UNKNOWN, has_unknown, plain, property_value

PEM = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----"
ROLE = {"backend": "jwt", "roleName": "es", "userClaim": "sub", "boundAudiences": ["a", "b"]}
URN = "urn:pulumi:test::project::{token}::name"


@pytest.mark.parametrize(
    ("name", "vault_name"),
    [
        ("oidcDiscoveryCaPem", "oidc_discovery_ca_pem"),
        ("jwtValidationPubkeys", "jwt_validation_pubkeys"),
        ("auditNonHmacRequestKeys", "audit_non_hmac_request_keys"),
        ("disableLocalCaJwt", "disable_local_ca_jwt"),
    ],
)
def test_names_in_vault(name, vault_name):
    assert snake(name) == vault_name


@pytest.mark.parametrize(
    ("text", "expected"), [("1h30m", 5400), ("90s", 90), (60, 60), ("60", 60), ("soon", "soon")]
)
def test_durations(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        (Field(), PEM, PEM + "\n"),
        (Field(kind="list"), [PEM], [PEM + "\n"]),
        (Field(kind="set"), ["a", "b"], ["b", "a"]),
        (Field(kind="map"), None, {}),
        (Field(kind="boolean"), None, False),
        (Field(kind="integer"), None, 0),
        (Field(default="default"), None, "default"),
        (Field(kind="tune"), {"maxLeaseTtl": "1h"}, {"maxLeaseTtl": "3600s", "tokenType": ""}),
    ],
)
def test_what_means_the_same(field, one, other):
    assert field.same(one, other)
    assert field.same(other, one)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        (Field(), "a", "a\n"),
        (Field(kind="list"), ["a", "b"], ["b", "a"]),
        (Field(kind="boolean", default=True), None, False),
        (Field(kind="integer"), None, 1),
    ],
)
def test_what_does_not(field, one, other):
    assert not field.same(one, other)


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({"userClaim": "email"}, []),
        ({"boundAudiences": ["b"]}, []),
        ({"tokenTtl": 60}, []),
        ({"roleName": "other"}, ["roleName"]),
        ({"backend": "other"}, ["backend"]),
        ({"namespace": "production"}, ["namespace"]),
        ({"backend": UNKNOWN}, ["backend"]),
        ({"roleType": "oidc"}, ["roleType"]),
    ],
)
def test_changes_and_replacements(change, replaces):
    answer = compare(JWT_ROLE.schema, ROLE, ROLE | change)
    assert answer.changes
    assert answer.diffs == list(change)
    assert answer.replaces == replaces
    assert answer.delete_before_replace == (replaces == ["roleType"])


@pytest.mark.parametrize(
    "change", [{}, {"boundAudiences": ["b", "a"]}, {"tokenTtl": 0}, {"boundClaims": {}}]
)
def test_no_change(change):
    assert compare(JWT_ROLE.schema, ROLE, ROLE | change).changes is False


def test_drift_shows_in_inputs_and_only_where_the_program_has_a_say():
    found = ROLE | {"boundSubject": "evil", "boundAudiences": ["b", "a"], "roleType": "jwt"}
    found |= {"tokenTtl": 0, "boundClaimsType": "string", "tokenType": "default"}
    inputs = inputs_from(JWT_ROLE.schema, found, ROLE, ROLE)
    assert inputs == ROLE | {"boundSubject": "evil"}
    imported = inputs_from(JWT_ROLE.schema, found, {}, {})
    assert imported["roleType"] == "jwt"
    assert imported["tokenType"] == "default"
    assert "tokenTtl" not in imported


def test_what_vault_hides_stays_as_it_was_and_what_it_lost_does_not():
    known = {"path": "jwt", "oidcClientSecret": "hidden", "boundIssuer": "https://a", "type": "jwt"}
    outputs = outputs_from(JwtAuthBackend().schema, {"path": "jwt", "type": "jwt"}, known)
    assert outputs["oidcClientSecret"] == "hidden"
    assert outputs["boundIssuer"] == ""


def answer(token, inputs, old=None):
    request = CheckRequest(
        URN.format(token=token),
        {name: property_value(value) for name, value in (old or {}).items()},
        {name: property_value(value) for name, value in inputs.items()},
        b"seed",
    )
    return asyncio.run(VaultProvider().check(request))


@pytest.mark.parametrize(
    ("token", "inputs", "defaults"),
    [
        (
            "vault:jwt/authBackend:AuthBackend",
            {"jwksUrl": "https://x"},
            {"path": "jwt", "type": "jwt"},
        ),
        (
            "vault:jwt/authBackendRole:AuthBackendRole",
            {"roleName": "r", "userClaim": "sub"},
            {"backend": "jwt", "tokenType": "default"},
        ),
        (
            "vault:kubernetes/authBackendConfig:AuthBackendConfig",
            {"kubernetesHost": "h"},
            {"backend": "kubernetes"},
        ),
        ("vault:index/policy:Policy", {"name": "n", "policy": "p"}, {"allowOverwrite": True}),
    ],
)
def test_official_defaults(token, inputs, defaults):
    checked = answer(token, inputs)
    assert not checked.failures
    assert plain(checked.inputs).items() >= (inputs | defaults).items()


@pytest.mark.parametrize(
    ("token", "inputs", "message"),
    [
        ("vault:jwt/authBackend:AuthBackend", {}, "exactly one of oidcDiscoveryUrl, jwksUrl or"),
        (
            "vault:jwt/authBackend:AuthBackend",
            {"jwksUrl": "a", "oidcDiscoveryUrl": "b"},
            "exclude each other",
        ),
        ("vault:jwt/authBackend:AuthBackend", {"jwksUrl": "a", "path": "a/"}, "ending in '/'"),
        (
            "vault:jwt/authBackend:AuthBackend",
            {"jwksUrl": "a", "type": "saml"},
            "must be one of jwt, oidc",
        ),
        (
            "vault:jwt/authBackendRole:AuthBackendRole",
            {"userClaim": "sub"},
            'missing required property "roleName"',
        ),
        ("vault:index/policy:Policy", {"name": "n", "policy": 1}, "must be a string, not a int"),
        ("vault:index/mount:Mount", {"path": "p", "typ": "kv"}, 'did you mean "type"?'),
        (
            "vault:index/policy:Policy",
            {"policy": "p", "accessor": "x"},
            '"accessor" is not expected',
        ),
    ],
)
def test_wrong_inputs_are_told(token, inputs, message):
    assert any(message in failure.reason for failure in answer(token, inputs).failures)


def test_generated_names_are_kept_and_secrets_and_unknowns_pass_the_check():
    first = plain(answer("vault:index/policy:Policy", {"policy": "p"}).inputs)
    assert first["name"].startswith("name-")
    again = answer("vault:index/policy:Policy", {"policy": "other"}, first)
    assert plain(again.inputs)["name"] == first["name"]
    request = CheckRequest(
        URN.format(token="vault:index/policy:Policy"),
        {},
        {"policy": PropertyValue("s", is_secret=True), "name": PropertyValue(rpc.UNKNOWN)},
        b"",
    )
    checked = asyncio.run(VaultProvider().check(request))
    assert not checked.failures
    assert checked.inputs["policy"].is_secret
    assert has_unknown(plain(checked.inputs)["name"])


def test_a_type_that_is_not_covered_is_told():
    with pytest.raises(
        Exception, match=r"does not cover vault:ssh/x:X; it covers .*jwt/authBackend"
    ):
        answer("vault:ssh/x:X", {})


def test_provider_arguments():
    assert not settings.failures({"address": "a", "token": "t", "skipTlsVerify": "true"})
    reasons = [f.reason for f in settings.failures({"authLoginJwt": "{}", "adress": "a"})]
    assert "use a token (VAULT_TOKEN)" in reasons[0]
    assert 'did you mean "address"?' in reasons[1]
    environment = {"VAULT_ADDR": "https://env/", "VAULT_TOKEN": "t", "VAULT_CACERT": "/ca"}
    found = settings.resolve({"namespace": "/a/", "maxRetries": "5"}, environment)
    assert (found.address, found.token, found.verify) == ("https://env", "t", "/ca")
    assert (found.namespace, found.max_retries, found.child_token) == ("a", 5, True)
    given = {"address": "https://arg", "skipTlsVerify": "true", "skipChildToken": "true"}
    found = settings.resolve(given, environment)
    assert (found.address, found.verify, found.child_token) == ("https://arg", False, False)
    assert "token='t'" not in repr(found)


def test_another_way_to_reach_vault_replaces_nothing():
    request = DiffRequest(
        URN.format(token="pulumi:providers:vault"),
        "id",
        {"address": PropertyValue("a")},
        {"address": PropertyValue("b")},
        [],
    )
    found = asyncio.run(VaultProvider().diff_config(request))
    assert found.changes
    assert not found.replaces


def test_every_input_of_the_official_sdk_is_known_or_deliberately_not():
    import inspect

    import pulumi_vault as vault

    left_out = {
        "vault:index/authBackend:AuthBackend": {"identityTokenKey"},
        "vault:jwt/authBackend:AuthBackend": {
            "jwksPairs",
            "oidcClientSecretWo",
            "oidcClientSecretWoVersion",
        },
        "vault:jwt/authBackendRole:AuthBackendRole": {"aliasMetadata"},
        "vault:kubernetes/authBackendConfig:AuthBackendConfig": {
            "tokenReviewerJwtWo",
            "tokenReviewerJwtWoVersion",
        },
        "vault:kubernetes/authBackendRole:AuthBackendRole": {"aliasMetadata"},
    }
    classes = [
        vault.Policy,
        vault.Mount,
        vault.Namespace,
        vault.AuthBackend,
        vault.jwt.AuthBackend,
        vault.jwt.AuthBackendRole,
        vault.kubernetes.AuthBackendConfig,
        vault.kubernetes.AuthBackendRole,
    ]
    for resource in classes:
        token = resource.pulumi_type
        names = set(inspect.signature(resource._internal_init).parameters)
        names -= {"__self__", "resource_name", "opts", "__props__"}
        official = {
            name.split("_")[0] + "".join(p.title() for p in name.split("_")[1:]) for name in names
        }
        ours = set(HANDLERS[token].schema.inputs())
        assert official - ours == left_out.get(token, set()), token
        assert ours <= official, token


def test_failures_name_the_field():
    found = check.failures(JWT_ROLE.schema, {"roleName": "r", "userClaim": "sub", "tokenTtl": "1"})
    assert [failure.property for failure in found] == ["tokenTtl"]
