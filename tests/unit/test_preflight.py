"""Preflight against a small HTTPS server that answers as Vault and as an API server do."""

from __future__ import annotations

import base64
import socket
from pathlib import Path

import pytest

import stacks
from stacks import preflight
from tests.unit.conftest import Server


@pytest.mark.parametrize("status", [200, 429, 473])
def test_an_open_vault(server: Server, status: int) -> None:
    server.status = status
    preflight.require_vault(_vault(server.url, server.ca_file), "lab")


@pytest.mark.parametrize(
    ("status", "message"),
    [(503, "is sealed; unseal it"), (501, "is not initialised"), (404, "with status 404")],
)
def test_a_closed_vault(server: Server, status: int, message: str) -> None:
    server.status = status
    with pytest.raises(stacks.StackError, match=message) as caught:
        preflight.require_vault(_vault(server.url, server.ca_file), "lab")
    assert str(caught.value).startswith("stacks/Pulumi.lab.yaml: fleet:vault.address: ")


def test_a_vault_that_is_not_there_or_not_trusted(server: Server) -> None:
    with pytest.raises(stacks.StackError, match="does not answer"):
        preflight.require_vault(_vault(_nobody()), "lab")
    with pytest.raises(stacks.StackError, match=r"does not answer.*certificate"):
        preflight.require_vault(_vault(server.url), "lab")
    with pytest.raises(stacks.StackError, match=r"fleet:vault.caFile: absent.crt can't be read"):
        preflight.require_vault(_vault(server.url, "absent.crt"), "lab")


def test_silent_clusters(server: Server, certificate: Path) -> None:
    ca_data = base64.b64encode(certificate.read_bytes().split(b"-----BEGIN PRIVATE")[0]).decode()
    answers = stacks.ClusterAccess("answers", server.url, ca_data, "")
    nobody = stacks.ClusterAccess("nobody", _nobody(), ca_data, "")
    assert preflight.silent([nobody, answers]) == [nobody]


def _nobody() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"https://127.0.0.1:{free.getsockname()[1]}"


def _vault(address: str, ca_file: str | None = None) -> stacks.Vault:
    return stacks.Vault.model_validate({"address": address, "caFile": ca_file})
