"""A stack whose Vault is a namespace of somebody else's, with a token of that and the documented policies only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documented_policy import for_credential, for_fleet
from tests.e2e.fleet_lab import REPO, FleetLab, wait_until

PARENT, ENVIRONMENT, SPOKE, STACK = "corp", "sandbox", "dev", "dev"
INSIDE = f"{PARENT}/{ENVIRONMENT}"
EXTERNAL_SECRET = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"name": "of-the-parent", "namespace": "default"},
    "spec": {
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault-backend"},
        "dataFrom": [{"extract": {"key": "app/db"}}],
    },
}


@pytest.fixture
def password(lab: FleetLab, tmp_path: Path) -> Iterator[str]:
    """What is in the namespace below the parent; until the test ends, VAULT_TOKEN is of the parent."""
    lab.bao("namespace", "create", PARENT)
    for name in (ENVIRONMENT, "hub"):
        lab.bao("namespace", "create", name, namespace=PARENT)
        lab.bao("secrets", "enable", "-path=secret", "kv-v2", namespace=f"{PARENT}/{name}")
    value = secrets.token_hex(16)
    command = ["kv", "put", "-mount=secret", "app/db", f"password={value}"]
    wait_until("the engine is there", lambda: _done(lab, *command, namespace=INSIDE), 30)
    policy = tmp_path / "policy.hcl"
    policy.write_text(for_fleet(f"{ENVIRONMENT}/") + for_credential("hub/"))
    lab.bao("policy", "write", "fleet", str(policy), namespace=PARENT)
    token = ["token", "create", "-policy=fleet", "-ttl=1h", "-field=token"]
    root, lab.env["VAULT_TOKEN"] = (
        lab.env["VAULT_TOKEN"],
        lab.bao(*token, namespace=PARENT).output.strip(),
    )
    yield value
    lab.env["VAULT_TOKEN"] = root
    for name in (ENVIRONMENT, "hub"):
        lab.bao("namespace", "delete", name, namespace=PARENT)
    # OpenBao takes the inner ones away in the background.
    wait_until(
        "the parent is gone", lambda: _done(lab, "namespace", "delete", PARENT, namespace=""), 30
    )


def _done(lab: FleetLab, *command: str, namespace: str) -> bool:
    return lab.bao(*command, namespace=namespace, check=False).code == 0


@pytest.fixture
def stack(lab: FleetLab, password: str) -> Iterator[str]:
    """A stack beside the lab's own, with one spoke below the parent namespace and nothing on it but its store."""

    def change(config: dict[str, Any]) -> None:
        config["fleet:environments"] = [ENVIRONMENT]
        config["fleet:vault"]["parentNamespace"] = PARENT
        config["fleet:spokes"][0]["environment"] = ENVIRONMENT
        config["fleet:applicationSets"] = []

    lab.run("fleet", "lab", "add-cluster", SPOKE, cwd=REPO)
    lab.ensure_stack(STACK)
    lab.restore_stack_file(STACK)
    lab.edit(change, STACK)
    yield STACK
    lab.run("pulumi", "destroy", "--stack", STACK, "--yes", "--skip-preview", "--non-interactive")
    mounts = json.loads(lab.bao("auth", "list", "-format=json", namespace=INSIDE).output)
    assert f"jwt-{SPOKE}/" not in mounts, "it is deleted where it was made"
    lab.run("fleet", "lab", "remove-cluster", SPOKE, "--yes", cwd=REPO)
    lab.restore_stack_file(STACK)


def test_below_a_parent_namespace(lab: FleetLab, stack: str, password: str, tmp_path: Path) -> None:
    lab.edit(lambda config: config["fleet:vault"].pop("parentNamespace"), stack)
    refused = lab.up(stack, check=False)
    assert refused.code != 0
    assert f"write `parentNamespace: {PARENT}`" in refused.output
    assert lab.env["VAULT_TOKEN"] not in refused.output
    lab.edit(lambda config: config["fleet:vault"].update(parentNamespace=PARENT), stack)

    up = lab.up(stack)
    assert "may not write" not in up.output, "the documented policy is enough"
    lab.nothing_to_change(stack)
    mounts = json.loads(lab.bao("auth", "list", "-format=json", namespace=INSIDE).output)
    assert f"jwt-{SPOKE}/" in mounts
    store = lab.get(SPOKE, "clustersecretstore", "vault-backend")
    assert store["spec"]["provider"]["vault"]["namespace"] == INSIDE

    lab.run_controllers()
    file = tmp_path / "external-secret.yaml"
    file.write_text(yaml.safe_dump(EXTERNAL_SECRET))
    lab.kubectl(SPOKE, "apply", "-f", str(file))
    wait_until(
        "Vault's value is on the spoke",
        lambda: lab.secret(SPOKE, "default", "of-the-parent").get("password") == password,
    )
    lab.kubectl(SPOKE, "delete", "-f", str(file))


def test_fleet_credential_with_a_token_of_the_parent(lab: FleetLab, password: str) -> None:
    assert password

    def change(config: dict[str, Any]) -> None:
        config["fleet:vault"]["parentNamespace"] = PARENT
        config["fleet:hub"]["secretStore"] = {"namespace": "hub"}
        config["fleet:spokes"][0]["auth"] = {"kind": "vault"}

    lab.edit(change)
    said = lab.run("fleet", "credential", "prod-us-east-1", "--dry-run").output
    assert f"secret/clusters/prod-us-east-1 in namespace {PARENT}/hub" in said
    assert "Vault would take it" in said
