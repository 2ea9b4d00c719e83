"""A release is a commit, a rollback is its revert; both reach only the environment they are for."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.fleet_lab import FleetLab, wait_until

SERVICE = "notification-service"
PRODUCTION = ("prod-us-east-1", "prod-eu-west-1")


def test_release_and_rollback(lab: FleetLab) -> None:
    clone = lab.home / "gitops-config"
    overlay = Path("apps") / SERVICE / "overlays" / "production" / "kustomization.yaml"
    lab.git("pull", "--quiet", "--rebase")
    (clone / overlay).write_text((clone / overlay).read_text().replace("v2.3.0", "v2.3.1"))
    lab.git("commit", "--quiet", "-am", f"Release {SERVICE} v2.3.1 to production")
    lab.git("push", "--quiet")
    released = wait_until("v2.3.1 on the production spokes", lambda: _tags(lab) == {"v2.3.1"})
    assert lab.image("staging", SERVICE, SERVICE).endswith(":v2.3.1-rc.1"), "staging keeps its own"

    lab.git("revert", "--no-edit", "HEAD")
    lab.git("push", "--quiet")
    reverted = wait_until("v2.3.0 again", lambda: _tags(lab) == {"v2.3.0"})
    assert lab.image("staging", SERVICE, SERVICE).endswith(":v2.3.1-rc.1")
    print(f"released in {released:.1f} s, rolled back in {reverted:.1f} s")


def _tags(lab: FleetLab) -> set[str]:
    return {lab.image(spoke, SERVICE, SERVICE).rpartition(":")[2] for spoke in PRODUCTION}
