"""JWT mounts and roles, and the logins that they allow and refuse."""

from __future__ import annotations

import pytest
from hvac.exceptions import Forbidden, InvalidRequest

pytestmark = pytest.mark.plugins

READ = 'path "secret/data/*" { capabilities = ["read"] }'


def program(mount: str, source: str, role: str = "", backend: str = "") -> str:
    return f"""
policy = vault.Policy("policy", name="{mount}", policy='''{READ}''')
backend = vault.jwt.AuthBackend("backend", path="{mount}", {source} {backend})
role = vault.jwt.AuthBackendRole("role", backend=backend.path, role_name="es", role_type="jwt",
    user_claim="sub", bound_audiences=["vault"], bound_subject="system:serviceaccount:es:es",
    token_policies=[policy.name], token_ttl=600, {role})
pulumi.export("accessor", backend.accessor)
"""


def by_key(issuer) -> str:
    return f"jwt_validation_pubkeys=[{issuer.public_pem!r}], bound_issuer={issuer.url!r},"


def test_only_the_right_token_logs_in_also_after_an_import(stack, bao, issuer, mount):
    stack.up(program(mount, by_key(issuer)))
    state = stack.resources()
    assert state["backend"]["id"] == mount
    assert state["backend"]["outputs"]["accessor"].startswith("auth_jwt_")
    assert state["role"]["id"] == f"auth/{mount}/role/es"
    stack.unchanged()  # although the key's PEM ends in a line break, which Vault drops

    login = bao.login(mount, issuer.token()).lookup_token()["data"]
    assert login["policies"] == ["default", mount]
    assert login["creation_ttl"] == 600
    other = type(issuer)(issuer.url)
    elsewhere = type(issuer)("https://spoke-b.lab", issuer.key)
    refused = {
        "another key": other.token(),
        "another issuer": elsewhere.token(),
        "a wrong audience": issuer.token(audience="else"),
        "a wrong subject": issuer.token(subject="system:serviceaccount:es:other"),
    }
    for reason, token in refused.items():
        assert not logs_in(bao, mount, token), f"logged in with {reason}"

    # The same three by import, under the official plugin's IDs.
    stack.forget({"policy", "backend", "role"})
    text = (stack.folder / "__main__.py").read_text()
    for declared, identifier in {
        f'name="{mount}", policy': mount,
        f'path="{mount}", ': mount,
        'role_name="es", ': f"auth/{mount}/role/es",
    }.items():
        option = f"opts=pulumi.ResourceOptions(import_='{identifier}'), "
        text = text.replace(declared, option + declared)
    (stack.folder / "__main__.py").write_text(text)
    output = stack.up().output
    assert "import" in output
    assert "create" not in output
    stack.unchanged()


def logs_in(bao, mount: str, token: str) -> bool:
    try:
        bao.login(mount, token)
    except (InvalidRequest, Forbidden):
        return False
    return True


def test_discovery_updates_drift_and_import(stack, bao, oidc_issuer, authority, mount):
    ca = authority.certificate.read_text()
    source = f"oidc_discovery_url={oidc_issuer.url!r}, oidc_discovery_ca_pem={ca!r},"
    source += f"bound_issuer={oidc_issuer.url!r},"
    stack.up(program(mount, source))
    bao.login(mount, oidc_issuer.token())
    client = bao.client()

    tuned = "description='of a spoke', tune={'max_lease_ttl': '1h', 'default_lease_ttl': '30m'}"
    changed = program(mount, source, role="token_max_ttl=900, clock_skew_leeway=10", backend=tuned)
    stack.up(changed)
    assert client.read(f"auth/{mount}/role/es")["data"]["token_max_ttl"] == 900
    assert client.read(f"sys/auth/{mount}/tune")["data"]["max_lease_ttl"] == 3600
    stack.up(program(mount, source))
    assert client.read(f"auth/{mount}/role/es")["data"]["token_max_ttl"] == 0
    assert not client.read(f"sys/auth/{mount}/tune")["data"]["description"]

    role = client.read(f"auth/{mount}/role/es")["data"]
    client.write_data(f"auth/{mount}/role/es", data=role | {"bound_subject": "anyone"})
    config = {"oidc_discovery_url": oidc_issuer.url, "oidc_discovery_ca_pem": ca}
    client.write_data(f"auth/{mount}/config", data=config | {"bound_issuer": "https://evil.lab"})
    output = stack.refresh().output
    assert "boundSubject" in output
    assert "boundIssuer" in output
    stack.up()
    assert client.read(f"auth/{mount}/role/es")["data"]["bound_subject"].endswith("es:es")
    assert client.read(f"auth/{mount}/config")["data"]["bound_issuer"] == oidc_issuer.url

    client.sys.disable_auth_method(mount)
    stack.refresh()
    assert {"backend", "role"}.isdisjoint(stack.resources())


def test_a_mount_whose_issuer_is_away_is_finished_by_the_next_up(stack, bao, oidc_issuer, mount):
    away = program(mount, "oidc_discovery_url='https://127.0.0.1:1',")
    output = stack.up(away, expect=1).output
    assert "error checking oidc discovery URL" in output
    backend = stack.resources()["backend"]
    assert backend["id"] == mount
    assert "oidc discovery" in backend["initErrors"][0]
    stack.up(program(mount, by_key(oidc_issuer)))
    bao.login(mount, oidc_issuer.token())
    assert "initErrors" not in stack.resources()["backend"]


def test_a_path_in_use_is_an_error_and_a_replacement_deletes_first(stack, bao, issuer, mount):
    bao.client().sys.enable_auth_method("userpass", path=mount)
    output = stack.up(program(mount, by_key(issuer)), expect=1).output
    assert f"path is already in use at {mount}/" in output
    assert "backend" not in stack.resources()
    assert not stack.state().get("pending_operations")
    bao.client().sys.disable_auth_method(mount)
    stack.up()
    stack.up(program(mount, by_key(issuer), backend="type='oidc', "))
    assert bao.client().sys.list_auth_methods()["data"][f"{mount}/"]["type"] == "oidc"
