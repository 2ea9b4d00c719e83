"""The split topology of the example stack files, each spoke of another kind: what the split e2e tests start from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.fleet_lab import REPO, FleetLab, is_fine, wait_until
from tests.e2e.fleet_lab import SPOKES as SINGLE

HUB = "hub"
ENVIRONMENTS = ("production", "staging", "dev")
SPOKES = {
    "prod-us-east-1": "production",  # ServiceAccount token, JWT by discovery, delivered by Pulumi
    "prod-us-west-2": "production",  # credential from Vault, JWT by public keys, delivered by Argo CD
    "prod-eu-west-1": "production",  # client certificate, Kubernetes auth, delivered by Pulumi
    "staging": "staging",  # exec plugin
    "dev": "dev",
}
ADDED = ("prod-us-west-2", "dev")
"""The clusters that the single-stack lab doesn't have."""


@dataclass
class Split:
    """The running split fleet. `files` is the stack files as the fleet was made from them."""

    lab: FleetLab
    files: Path

    def block(self, config: dict[str, Any], spoke: str) -> dict[str, Any]:
        """The block of `spoke` in a stack's `config:`."""
        found: dict[str, Any] = next(one for one in config["fleet:spokes"] if one["name"] == spoke)
        return found

    @contextmanager
    def edited(self, stack: str) -> Iterator[None]:
        """Whatever is done to the stack file inside is undone after."""
        try:
            yield
        finally:
            shutil.copy(self.files / f"Pulumi.{stack}.yaml", self.lab.stack_file(stack))

    def keep(self, stack: str) -> None:
        """Take the stack file as it is now for the one to go back to."""
        shutil.copy(self.lab.stack_file(stack), self.files / f"Pulumi.{stack}.yaml")

    def change_spoke(self, spoke: str, **changes: Any) -> None:
        """Change the block of a spoke; None takes a key out."""
        stack = SPOKES[spoke]

        def change(config: dict[str, Any]) -> None:
            block = self.block(config, spoke)
            block.update(changes)
            for key in [key for key, value in changes.items() if value is None]:
                del block[key]

        self.lab.edit(change, stack)

    def applications_of(self, spoke: str) -> dict[str, dict[str, Any]]:
        """The spoke's Applications, by name."""
        return {
            name: one
            for name, one in self.lab.applications().items()
            if one["metadata"]["labels"].get("cluster_name") == spoke
        }

    def fine(self, spoke: str, *, timeout: float = 180) -> float:
        """Wait until all that the spoke should run is there, Synced and Healthy; the seconds it took."""
        wanted = {f"{spoke}-{name}" for name in ("platform", "payment-service", "auth-service")}

        def fine() -> bool:
            found = self.applications_of(spoke)
            return wanted <= found.keys() and all(map(is_fine, found.values()))

        return wait_until(f"{spoke}'s Applications are Synced and Healthy", fine, timeout)


def build(lab: FleetLab, folder: Path) -> Split:
    """From whatever the lab has to the split fleet: the single stack goes, the four stacks come."""
    split = Split(lab, folder)
    lab.restore_stack_file()
    if made := lab.state():
        lab.allow_deletion(*(name for name, its in SINGLE.items() if its == "production"))
        lab.run("pulumi", "destroy", "--run-program", "--stack", "lab", "--yes", "--non-interactive",
                timeout=600)  # fmt: skip
        lab.restore_stack_file()
        # Another `up` creates all of it again, and later releases of the plugin create nothing that exists.
        for cluster in (HUB, *SINGLE):
            assert lab.still_there(cluster, made) == [], cluster
    for name in ADDED:
        if name not in lab.run("kubectl", "config", "get-contexts", "-o", "name").output.split():
            lab.run("fleet", "lab", "add-cluster", name, cwd=REPO)
    for stack in (HUB, *ENVIRONMENTS):
        lab.ensure_stack(stack)
        lab.restore_stack_file(stack)
    split.change_spoke(
        "prod-us-west-2",
        auth={"kind": "vault"},
        delivery="argocd",
        jwtPublicKeys=[str(lab.home / "pki" / "prod-us-west-2" / "sa.pub")],
    )
    split.change_spoke("prod-eu-west-1", auth={"kind": "clientCertificate"}, vaultAuth="kubernetes")
    split.change_spoke("staging", auth=_exec_plugin(lab))
    for stack in ("production", "dev"):
        lab.edit(_charts_from_the_repo, stack)
    # Here the chart makes its CRDs itself; they are in the state then.
    lab.edit(lambda config: config["fleet:externalSecrets"].pop("crds"), "dev")
    lab.edit(_two_stores, "dev")
    for stack in (HUB, *ENVIRONMENTS):
        split.keep(stack)
    lab.up(HUB)
    lab.run_controllers()  # External Secrets on the hub renders a cluster Secret
    lab.run("fleet", "credential", "prod-us-west-2", "--stack", "production")
    lab.up_together(ENVIRONMENTS)
    lab.run_controllers()
    wait_until(
        "External Secrets is delivered by Argo CD",
        lambda: bool(lab.get("prod-us-west-2", "sa", "-n", "external-secrets", "external-secrets")),
        timeout=180,
    )
    lab.run_controllers()
    return split


def _exec_plugin(lab: FleetLab) -> dict[str, Any]:
    return {"kind": "exec", "command": lab.env["FLEET_EXEC_PLUGIN"], "args": ["staging"]}


def _two_stores(config: dict[str, Any]) -> None:
    """Beside the usual store, one for a single team: its own paths, its own namespace."""
    config["fleet:secretStores"] = [
        {"name": "vault-backend"},
        {"name": "payments", "readPaths": ["payment-service/*"], "namespaces": ["payment-service"]},
    ]


def _charts_from_the_repo(config: dict[str, Any]) -> None:
    """Argo CD takes External Secrets from a chart repository, and Pulumi may just as well."""
    settings = config["fleet:externalSecrets"]
    settings.update(
        chart="external-secrets",
        repo="${FLEET_CHART_REPO}",
        version="${FLEET_EXTERNAL_SECRETS_VERSION}",
    )
