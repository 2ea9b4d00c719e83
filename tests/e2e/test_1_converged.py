"""After `pulumi up` and the handover everything is there, and nothing is left to do."""

from __future__ import annotations

import json
import secrets

from tests.e2e.conftest import all_fine
from tests.e2e.fleet_lab import SPOKES, FleetLab, wait_until

SERVICES = ["auth-service", "notification-service", "payment-service"]


def test_every_application_is_synced_and_healthy(lab: FleetLab) -> None:
    all_fine(lab, len(SPOKES) * (1 + len(SERVICES)))
    expected = {f"{spoke}-{what}" for spoke in SPOKES for what in ("platform", *SERVICES)}
    assert set(lab.applications()) == expected
    for name, application in lab.applications().items():
        wanted = "platform" if name.endswith("-platform") else "services"
        assert application["spec"]["project"] == wanted, name


def test_the_workloads_really_run_there(lab: FleetLab) -> None:
    for spoke, environment in SPOKES.items():
        tag = "v2.3.1-rc.1" if environment == "staging" else "v2.3.0"
        for service in SERVICES:
            assert lab.image(spoke, service, service).endswith(f":{tag}"), f"{service} on {spoke}"
            deployment = lab.get(spoke, "deployment", "-n", service, service)
            assert deployment["status"]["availableReplicas"] >= 1


def test_nothing_is_left_to_change(lab: FleetLab) -> None:
    lab.nothing_to_change()


def test_status_agrees(lab: FleetLab) -> None:
    result = lab.run("fleet", "status", "--stack", "lab", "--json")
    assert result.code == 0
    assert set(SPOKES) <= {one["name"] for one in json.loads(result.output)["spokes"]}


def test_the_secret_is_that_of_vault_and_follows_it(lab: FleetLab) -> None:
    for spoke, environment in SPOKES.items():
        written = lab.written(environment)
        assert lab.secret(spoke, "payment-service", "payment-db-credentials") == {
            key: written[key] for key in ("username", "password")
        }, spoke

    renewed = secrets.token_hex(12)
    (lab.home / "renewed").write_text(renewed)
    try:
        lab.bao(
            "kv", "patch", "-mount=secret", "payment-service/db",
            f"password=@{lab.home / 'renewed'}", namespace="production",
        )  # fmt: skip
    finally:
        (lab.home / "renewed").unlink()
    for spoke in ("prod-us-east-1", "prod-eu-west-1"):
        lab.kubectl(
            spoke, "annotate", "--overwrite", "-n", "payment-service",
            "externalsecret/payment-db-credentials", f"force-sync={renewed[:4]}",
        )  # fmt: skip
        wait_until(
            f"the new password on {spoke}",
            lambda spoke=spoke: (
                lab.secret(spoke, "payment-service", "payment-db-credentials")["password"]
                == renewed
            ),
        )
    assert lab.secret("staging", "payment-service", "payment-db-credentials")["password"] != renewed


def test_the_cluster_secrets_are_the_contract(lab: FleetLab) -> None:
    for spoke, environment in SPOKES.items():
        metadata = lab.get("hub", "secret", "-n", "argocd", f"cluster-{spoke}")["metadata"]
        assert metadata["labels"]["environment"] == environment
        # CVE-2023-40029: client-side apply would have put the token here.
        assert "kubectl.kubernetes.io/last-applied-configuration" not in metadata["annotations"]


def test_the_gitops_config_repo_has_nothing_wrong_with_it(lab: FleetLab) -> None:
    told = lab.run("fleet", "lint", str(lab.home / "gitops-config"), "--stack", "lab")
    assert told.output.splitlines()[-1].endswith(": ok, 2 warnings"), "clusters of the other stacks"
