"""Secrets in a stack file, told by their value or by the name of their key; and what only looks like one."""

from __future__ import annotations

import base64

import pytest

from stacks.loading import secrets

# In two halves, or whoever scans the repo for secrets would find some.
TOKENS = [
    ("hvs.", "CAESIabcdefghijklmnop"),
    ("s.", "abcdefghijklmnOpqrstuvwx"),
    ("sk-", "proj-Ab3dEfGhIjKlMnOpQrSt"),
    ("xapp-", "1-A0123456789-abcdef"),
    ("ghs_", "abcdefghijklmnop"),
    ("github_pat_", "11AAAAAAA0abcdef"),
    ("glpat-", "abcdefghij123456"),
    ("glrt-", "abcdefghij123456"),
    ("ATATT3", "xFfGF0abcdefgh"),
    ("xoxb-", "1234567890-abcdefghij"),
    ("AKIA", "IOSFODNN7EXAMPLE"),
    ("AIza", "SyA1234567890abcdefghijklmnopqrstuvw"),
    ("pul-", "0123456789abcdef0123456789abcdef01234567"),
    ("npm_", "abcdefghijklmnopqrstuvwxyz0123456789"),
    ("dckr_pat_", "abcdefghij"),
    ("sk_live_", "abcdefghijk1234"),
    ("AGE-SECRET-KEY-1", "QQQQQQQQQ"),
    ("eyJhbGciOiJSUzI1NiIs", "ImtpZCI6IngifQ.eyJpc3MiOiJ4In0abc.abcdefgh"),
    ("-----BEGIN OPENSSH PRIVATE ", "KEY-----\nabc"),
    ("https://user:", "pw@git.example.com/x.git"),
    ("https://user:", "p/w@git.example.com/x.git"),
    ("https://user:", "p#w?@git.example.com/x.git"),
]
NAMES = ["clientSecret", "apiKey", "db_password", "PASSWORD", "sshPrivateKey", "bindPW", "passwd"]
NAMES += ["webhookSecret", "secretAccessKey", "token", ".dockerconfigjson"]


def _found(value: object) -> list[str]:
    return [one.path for one in secrets.problems({"externalSecrets": {"values": value}})]


@pytest.mark.parametrize("halves", TOKENS)
def test_by_its_own_prefix_whatever_it_is_called(halves: tuple[str, str]) -> None:
    token = "".join(halves)
    assert _found({"note": f"take {token}"}) == ["fleet:externalSecrets.values.note"]
    assert _found({"a": [{"b": base64.b64encode(token.encode()).decode()}]})
    (said,) = secrets.problems({"externalSecrets": {"values": {"note": token}}})
    assert halves[1] not in said.message


@pytest.mark.parametrize("name", NAMES)
def test_by_the_name_of_its_key(name: str) -> None:
    assert _found({name: "hunter2abc"})
    assert _found([{"name": name, "value": "hunter2abc"}])


@pytest.mark.parametrize(
    "value",
    [
        {"existingSecret": "vault-token"},
        {"secretName": "db"},
        {"imagePullSecrets": [{"name": "registry"}]},
        {"automountServiceAccountToken": True},
        {"tokenTtl": "10m"},
        {"password": ""},
        {"clientSecret": "$dex:clientSecret"},
        {"keys": ["a", "b"]},
        {"image": "registry.example.com/external-secrets@sha256:" + "0a" * 32},
        {"name": "sk-bratislava-production-01"},
        {"name": "xapp-production-1"},
        {"host": "b.abcdefghijklmnopqrstuvwx"},
        {"note": "https://vault.example.com:8200/ui asks ops@example.com"},
        {"note": "https://vault.example.com:8200/v1/who@here"},
        {"note": "https://a.example.com:8443,https://ops@b.example.com"},
    ],
)
def test_what_only_looks_like_one(value: dict[str, object]) -> None:
    assert _found(value) == []
