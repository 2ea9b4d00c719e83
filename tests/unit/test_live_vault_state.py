"""Is Vault open, and does its token lead to where the stores look? Against a server that answers as Vault does."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from live import vault_state
from stacks.model.errors import StackError
from tests.unit.live_hub import a_fleet, a_spoke

TOKEN = "canary-token-of-vault"
HEALTH, LOOKUP, CAPABILITIES = (
    f"/v1/{path}" for path in ("sys/health", "auth/token/lookup-self", "sys/capabilities-self")
)


@dataclass
class FakeVault:
    """Answers by path; keeps the namespace of each request, and what was asked about."""

    url: str
    ca_file: str
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    capabilities: dict[str, list[str]] = field(default_factory=dict)

    def token(self, *, status: int = 200, **data: Any) -> None:
        self.answers[LOOKUP] = (status, {"data": {"policies": ["default"], "ttl": 3600, **data}})

    def require(self, *, preview: bool = False, hub: str | None = None, **vault: Any) -> list[str]:
        settings = {"address": self.url, "caFile": self.ca_file, **vault}
        store = {"hub": {"context": "hub", "secretStore": {"namespace": hub}}} if hub else {}
        fleet = a_fleet(vault=settings, spokes=[a_spoke("prod-1")], **store)
        return vault_state.require(fleet, "trial", preview=preview)

    def refusal(self, *, preview: bool = False, **vault: Any) -> str:
        with pytest.raises(StackError) as caught:
            self.require(preview=preview, **vault)
        said = str(caught.value)
        assert TOKEN not in said
        assert "\n" not in said
        return said.removeprefix("stacks/Pulumi.trial.yaml: ")


@pytest.fixture
def vault(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[FakeVault]:
    for name in ("VAULT_NAMESPACE", "VAULT_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.setenv("HOME", str(tmp_path))

    class Handler(BaseHTTPRequestHandler):
        def any(self) -> None:
            token, namespace = (
                self.headers.get(f"X-Vault-{name}") for name in ("Token", "Namespace")
            )
            known.asked.append((self.path, namespace, token))
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            status, told = known.answers.get(self.path, (200, {}))
            if self.path == CAPABILITIES and not told:
                denied = ["deny"]
                told = {"data": {p: known.capabilities.get(p, denied) for p in body["paths"]}}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(told if isinstance(told, bytes) else json.dumps(told).encode())

        do_GET = do_POST = any

        def log_message(self, *_: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(certificate)
        http.socket = trust.wrap_socket(http.socket, server_side=True)
        known = FakeVault(f"https://127.0.0.1:{http.server_port}", str(certificate))
        known.token(policies=["root"], ttl=0)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield known
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [200, 429, 473])
def test_an_open_vault(vault: FakeVault, status: int) -> None:
    vault.answers[HEALTH] = (status, {})
    assert vault.require() == []


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (472, "is a disaster recovery secondary, which serves nobody until it is promoted; write"),
        (501, "is not initialised"),
        (503, "is sealed; unseal it"),
        (404, "answered sys/health with status 404"),
    ],
)
def test_a_closed_vault(vault: FakeVault, status: int, message: str, preview: bool) -> None:
    vault.answers[HEALTH] = (status, {})
    said = vault.refusal(preview=preview)
    assert said.startswith(f"fleet:vault.address: Vault at {vault.url} {message}")
    assert [path for path, *_ in vault.asked] == [HEALTH], "and nobody is shown the token"


def test_a_vault_that_is_not_there_or_not_trusted(vault: FakeVault) -> None:
    assert "does not answer" in vault.refusal(address="https://127.0.0.1:1")
    assert "certificate" in vault.refusal(caFile=None)
    assert vault.refusal(caFile="absent.crt").startswith(
        "fleet:vault.caFile: absent.crt can't be read"
    )


def test_a_stack_with_nothing_in_vault_needs_no_token(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    assert vault_state.require(a_fleet(vault=None), "hub", preview=False) == []
    settings = {"address": vault.url, "caFile": vault.ca_file}
    assert vault_state.require(a_fleet(vault=settings, spokes=[]), "hub", preview=False) == []


def test_a_dead_token(vault: FakeVault) -> None:
    vault.token(status=403)
    said = vault.refusal()
    assert said.startswith(f"fleet:vault: Vault at {vault.url} refuses the token in VAULT_TOKEN: ")
    assert "has expired, was revoked" in said
    assert said.endswith("take a new one")
    (warning,) = vault.require(preview=True)
    assert warning.endswith("take a new one; `up` will need one")


def test_no_token_at_all(vault: FakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    assert "there is no Vault token: set VAULT_TOKEN" in vault.refusal()
    assert len(vault.require(preview=True)) == 1
    (tmp_path / ".vault-token").write_text(f"{TOKEN}\n")
    vault.asked.clear()
    assert vault.require() == []
    assert (LOOKUP, None, TOKEN) in vault.asked
    vault.token(status=403)
    assert "refuses the token in ~/.vault-token" in vault.refusal()
    (tmp_path / ".vault").write_text('token_helper = "/bin/helper"')
    assert vault.require() == [], "only the helper knows"


@pytest.mark.parametrize(
    "answer", [(500, {}), (307, {}), (200, b"<html>"), (200, []), (200, {"data": None})]
)
def test_who_answers_oddly_is_not_in_the_way(vault: FakeVault, answer: tuple[int, Any]) -> None:
    vault.answers[LOOKUP] = answer
    for warning in vault.require():
        assert TOKEN not in warning


def test_a_token_that_no_header_may_hold(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "canary\ntoken")
    (warning,) = vault.require()
    assert "canary" not in warning


@pytest.mark.parametrize(
    ("ttl", "warning"),
    [
        (0, ""),
        (899, "the token in VAULT_TOKEN ends in 14 min 59 s"),
        (30, "ends in 0 min 30 s, and an `up` with it"),
        (900, ""),
    ],
)
def test_a_token_that_ends_soon(vault: FakeVault, ttl: int, warning: str) -> None:
    vault.token(policies=["root"], ttl=ttl)
    said = vault.require(preview=True)
    assert len(said) == bool(warning)
    assert warning in "".join(said)


@pytest.mark.parametrize("preview", [False, True])
def test_a_token_of_a_namespace_shifts_everything(vault: FakeVault, preview: bool) -> None:
    vault.token(namespace_path="admin/")
    assert vault.refusal(preview=preview, namespace="{environment}") == (
        'fleet:vault.parentNamespace: the token in VAULT_TOKEN is of Vault namespace "admin": pulumi-vault would put '
        "everything below that, where no store looks; write `parentNamespace: admin`"
    )


@pytest.mark.parametrize("home", ["", "admin/", "admin/team/"])
def test_a_token_of_the_parent_or_above(vault: FakeVault, home: str) -> None:
    vault.token(namespace_path=home, policies=["root"])
    assert vault.require(parentNamespace="admin/team", namespace="{environment}") == []


@pytest.mark.parametrize("home", ["administration/", "admin/other/", "admin/team/staging/"])
def test_a_token_of_elsewhere(vault: FakeVault, home: str) -> None:
    vault.token(namespace_path=home, policies=["root"])
    said = vault.refusal(parentNamespace="admin/team", namespace="{environment}")
    assert f'is of Vault namespace "{home[:-1]}", and what it makes for "prod-1" is in ' in said
    assert said.endswith('"admin/team/production"; take one of "admin/team"')


def test_a_namespace_in_the_environment(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_NAMESPACE", "admin/")
    assert vault.refusal() == (
        'fleet:vault.parentNamespace: VAULT_NAMESPACE is set to "admin": pulumi-vault would put everything below that, '
        "where no store looks; unset it, or write `parentNamespace: admin`"
    )
    # Beside `parentNamespace` it is only where the token is looked up.
    vault.asked.clear()
    assert vault.require(parentNamespace="corp") == []
    assert [namespace for path, namespace, _ in vault.asked if path == LOOKUP] == ["admin"]
    vault.answers[LOOKUP] = (404, {"errors": ["namespace not found"]})
    assert 'has no namespace "admin", which VAULT_NAMESPACE names' in vault.refusal(
        parentNamespace="corp"
    )


AUTH, POLICY = (
    "production/sys/auth/jwt-prod-1",
    "production/sys/policies/acl/prod-1-external-secrets",
)


def test_the_policies_of_a_token_that_may_too_little(vault: FakeVault) -> None:
    vault.token(namespace_path="admin/", policies=["default", "ci"])
    wanted = {"parentNamespace": "admin", "namespace": "{environment}"}
    assert vault.require(**wanted) == [
        f"the token in VAULT_TOKEN has the policies default, ci, by which it may not write {AUTH} and 1 more in "
        'Vault namespace "admin"; what changes there will fail. The policy it needs is in docs/your-own-clusters.md'
    ]
    assert (CAPABILITIES, "admin", TOKEN) in vault.asked, "asked where its policy `default` counts"
    vault.capabilities = {AUTH: ["create", "update", "sudo"], POLICY: ["create", "update"]}
    assert vault.require(**wanted) == []
    vault.capabilities[AUTH] = ["create", "update"]
    (warning,) = vault.require(**wanted)
    assert f"may not write {AUTH} in" in warning
    assert vault.require(preview=True, **wanted) == [], "a preview may well be one that reads only"
    vault.answers[CAPABILITIES] = (403, {"errors": ["permission denied"]})
    assert vault.require(**wanted) == [], "who may not ask is not in the way"


def test_a_token_of_the_root_asks_by_full_paths(vault: FakeVault) -> None:
    vault.token(policies=["ci"])
    vault.capabilities = {f"admin/{AUTH}": ["root"], f"admin/{POLICY}": ["update"]}
    assert vault.require(parentNamespace="admin", namespace="{environment}") == []
