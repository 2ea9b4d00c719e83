"""What Vault refuses: another environment's secrets, and another spoke's token."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
import pytest

from tests.e2e.fleet_lab import FleetLab


def _token(
    lab: FleetLab, spoke: str, *, audience: str = "vault", account: str = "external-secrets"
) -> str:
    return lab.kubectl(
        spoke, "-n", "external-secrets", "create", "token", account, f"--audience={audience}"
    ).strip()


@pytest.fixture
def vault(lab: FleetLab) -> Any:
    trust = ssl.create_default_context(cafile=lab.env["VAULT_CACERT"])
    with httpx.Client(base_url=lab.env["VAULT_ADDR"], verify=trust) as client:
        yield client


def _login(vault: httpx.Client, environment: str, spoke: str, jwt: str) -> httpx.Response:
    return vault.post(
        f"/v1/auth/jwt-{spoke}/login",
        json={"role": "external-secrets", "jwt": jwt},
        headers={"X-Vault-Namespace": environment},
    )


def _read(vault: httpx.Client, environment: str, token: str) -> int:
    return vault.get(
        "/v1/secret/data/payment-service/db",
        headers={"X-Vault-Namespace": environment, "X-Vault-Token": token},
    ).status_code


def test_a_spoke_reads_its_own_environment_only(lab: FleetLab, vault: httpx.Client) -> None:
    for spoke, own, other in (
        ("staging", "staging", "production"),
        ("prod-us-east-1", "production", "staging"),
    ):
        answer = _login(vault, own, spoke, _token(lab, spoke))
        assert answer.status_code == 200, answer.text
        token = answer.json()["auth"]["client_token"]
        assert _read(vault, own, token) == 200
        assert _read(vault, other, token) == 403
        written = vault.post(
            "/v1/secret/data/payment-service/db",
            json={"data": {"password": "x"}},
            headers={"X-Vault-Namespace": own, "X-Vault-Token": token},
        )
        assert written.status_code == 403, "reading is all a spoke may do"


def test_a_token_of_another_issuer_is_refused(lab: FleetLab, vault: httpx.Client) -> None:
    foreign = _token(lab, "prod-eu-west-1")
    assert _login(vault, "production", "prod-eu-west-1", foreign).status_code == 200
    assert _login(vault, "production", "prod-us-east-1", foreign).status_code in (400, 403)
    assert _login(vault, "staging", "staging", foreign).status_code in (400, 403)


def test_a_wrong_audience_or_account_is_refused(lab: FleetLab, vault: httpx.Client) -> None:
    wrong_audience = _token(lab, "staging", audience="https://elsewhere.example.com")
    assert _login(vault, "staging", "staging", wrong_audience).status_code in (400, 403)
    wrong_account = _token(lab, "staging", account="default")
    assert _login(vault, "staging", "staging", wrong_account).status_code in (400, 403)
