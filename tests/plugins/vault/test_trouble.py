"""Secrets that stay secret, previews without Vault, and a Vault or an engine that goes away."""

from __future__ import annotations

import signal
import subprocess
import time

import psutil
import pytest

from lab.plugins.serve import ProviderError
from lab.plugins.vault.client import Connection
from lab.plugins.vault.settings import resolve

pytestmark = pytest.mark.plugins

CANARY = "canary-7c1f"
POLICY = "vault.Policy('p', name='trouble', policy='# none')"


def test_secrets_are_in_no_state_preview_or_output(stack, bao, oidc_issuer, authority, mount):
    text = f"""
provider = vault.Provider("vault", address={bao.address!r}, token={bao.token!r},
    ca_cert_file={str(authority.certificate)!r}, skip_child_token=True)
opts = pulumi.ResourceOptions(provider=provider)
vault.jwt.AuthBackend("oidc", path={mount!r}, type="oidc", oidc_discovery_url={oidc_issuer.url!r},
    oidc_discovery_ca_pem={authority.certificate.read_text()!r},
    oidc_client_id="id", oidc_client_secret="{CANARY}", opts=opts)
vault.Policy("p", name={mount!r}, policy=pulumi.Output.secret("# {CANARY}"), opts=opts)
"""
    stack.write(text)
    said = stack.pulumi("preview", "--diff").output
    said += stack.up(text).output + stack.refresh().output
    said += stack.up(text.replace(CANARY, CANARY + "-new")).output
    said += stack.checkpoint.read_text()
    assert CANARY not in said
    assert bao.token not in said
    assert "oidcClientSecret" in said


def test_preview_is_silent_and_its_unknowns_reach_nobody(stack):
    text = """
made = vault.Policy("made", name="made", policy="# none")
later = made.id.apply(lambda name: f"of-{name}")
backend = vault.jwt.AuthBackend("backend", path=later, jwt_validation_pubkeys=[later])
vault.jwt.AuthBackendRole("role", backend=backend.path, role_name=later, user_claim="sub",
    role_type="jwt", bound_audiences=[later], token_policies=[later, "fixed"], namespace=later)
"""
    stack.write(text)
    nowhere = {"VAULT_ADDR": "https://127.0.0.1:1", "VAULT_TOKEN": ""}
    output = stack.pulumi("preview", "--diff", **nowhere).output
    assert output.count("(create)") == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"VAULT_ADDR": "https://127.0.0.1:1"},
            "cannot be reached (Connection refused); check that",
        ),
        ({"VAULT_CACERT": ""}, "is not trusted (certificate verify failed"),
        ({"VAULT_TOKEN": "wrong"}, "the token is wrong, has expired, or lacks a policy"),
        ({"VAULT_TOKEN": ""}, "no vault token set: set VAULT_TOKEN"),
        ({"VAULT_ADDR": ""}, "no Vault address: set VAULT_ADDR"),
    ],
    ids=["unreachable", "untrusted", "forbidden", "no token", "no address"],
)
def test_trouble_with_vault_is_one_clear_line(bao, change, message):
    environment = {
        "VAULT_ADDR": bao.address,
        "VAULT_TOKEN": bao.token,
        "VAULT_CACERT": str(bao.authority.certificate),
        "VAULT_MAX_RETRIES": "1",
    }
    with pytest.raises(ProviderError) as raised:
        Connection(resolve({}, environment | change)).at("")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_token_used_is_a_short_lived_child(bao):
    environment = {
        "VAULT_ADDR": bao.address,
        "VAULT_TOKEN": bao.token,
        "VAULT_CACERT": str(bao.authority.certificate),
    }
    found = Connection(resolve({}, environment)).at("").read("auth/token/lookup-self")
    assert (found["creation_ttl"], found["orphan"]) == (1200, False)
    vault = Connection(resolve({"skipChildToken": "true"}, environment)).at("")
    assert vault.token == bao.token


def test_a_sealed_vault_says_so(stack, bao):
    bao.client().sys.seal()
    try:
        output = stack.up(POLICY, expect=1).output
    finally:
        bao.unseal()
    assert "is sealed: unseal it (`bao operator unseal`), then try again" in output
    stack.up()


def test_no_plugin_outlives_a_killed_pulumi(stack):
    stack.write(f"import time\np = {POLICY}\np.urn.apply(lambda _: time.sleep(60))")
    engine = subprocess.Popen(
        ["pulumi", "preview", "--non-interactive"],
        cwd=stack.folder,
        env=stack.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        plugin = _wait_for_plugin(psutil.Process(engine.pid))
        started = psutil.Process(engine.pid).children(recursive=True)
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait(10)
    gone, alive = psutil.wait_procs([plugin], timeout=5)
    for left in started:  # the language host and the program are Pulumi's own, and may stay
        if left.is_running() and left != plugin:
            left.kill()
    assert gone
    assert not alive


def _wait_for_plugin(engine: psutil.Process) -> psutil.Process:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for child in engine.children(recursive=True):
            try:
                command = child.cmdline()
            except psutil.NoSuchProcess:  # it came and went
                continue
            if any(part.endswith("pulumi-resource-vault") for part in command):
                return child
        time.sleep(0.05)
    pytest.fail("the plugin was not started")
