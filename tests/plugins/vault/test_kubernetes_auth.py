"""The Kubernetes auth method as pulumi-vault spells it: a mount, a configuration, roles."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.plugins

CANARY = "canary-reviewer-jwt"


def program(mount: str, ca: str, role: str = "") -> str:
    return f"""
backend = vault.AuthBackend("backend", type="kubernetes", path={mount!r}, description="of a spoke")
vault.kubernetes.AuthBackendConfig("config", backend=backend.path, kubernetes_host="https://127.0.0.1:1",
    kubernetes_ca_cert={ca!r}, disable_local_ca_jwt=True, token_reviewer_jwt={CANARY!r})
vault.kubernetes.AuthBackendRole("role", backend=backend.path, role_name="es",
    bound_service_account_names=["b", "a"], bound_service_account_namespaces=["es"], {role}
    token_policies=["one", "two"])
"""


def test_life_of_a_kubernetes_mount(stack, bao, authority, mount):
    client = bao.client()
    ca = authority.certificate.read_text()
    stack.up(program(mount, ca, "audience='vault', token_ttl=60,"))
    ids = {name: item.get("id") for name, item in stack.resources().items()}
    assert ids["config"] == f"auth/{mount}/config"
    assert ids["role"] == f"auth/{mount}/role/es"
    assert client.read(f"auth/{mount}/config")["data"]["token_reviewer_jwt_set"]
    stack.unchanged()
    assert CANARY not in str(stack.state())

    role = {"bound_service_account_names": ["a", "b"], "bound_service_account_namespaces": ["es"]}
    order = {"token_policies": ["two", "one"], "audience": "other", "token_ttl": 60}
    client.write_data(f"auth/{mount}/role/es", data=role | order)
    output = stack.refresh().output
    assert "audience" in output
    assert "tokenPolicies" not in output
    stack.up(program(mount, ca.strip()))
    data = client.read(f"auth/{mount}/role/es")["data"]
    assert (data.get("audience", ""), data["token_ttl"]) == ("", 0)
    assert CANARY not in str(stack.state())
