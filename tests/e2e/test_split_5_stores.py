"""Several stores on one spoke: each reads its own paths, for its own namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.fleet_lab import FleetLab, wait_until
from tests.e2e.split import SPOKES, Split

SPOKE = "dev"


@pytest.fixture
def ask(split: Split, tmp_path: Path) -> Iterator[Ask]:
    asked = Ask(split.lab, tmp_path)
    yield asked
    asked.take_back()


class Ask:
    """ExternalSecrets made by hand, as no pull request would."""

    def __init__(self, lab: FleetLab, folder: Path) -> None:
        self._lab, self._file = lab, folder / "external-secret.yaml"
        self._made: list[tuple[str, str]] = []

    def __call__(self, store: str, namespace: str, key: str) -> bool:
        """Whether an ExternalSecret of `namespace` gets `key` through `store`."""
        name = f"by-hand-{len(self._made)}"
        self._made.append((namespace, name))
        spec = {
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
            "dataFrom": [{"extract": {"key": key}}],
        }
        meta = {"name": name, "namespace": namespace}
        whole = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": meta}
        self._file.write_text(yaml.safe_dump({**whole, "spec": spec}))
        self._lab.kubectl(SPOKE, "apply", "-f", str(self._file))
        status: list[str] = []

        def decided() -> bool:
            found = self._lab.get(SPOKE, "externalsecret", "-n", namespace, name)
            ready = [
                one["status"]
                for one in found.get("status", {}).get("conditions", [])
                if one["type"] == "Ready"
            ]
            status[:] = ready
            return bool(ready)

        wait_until(f"{name} is decided", decided)
        return status == ["True"]

    def take_back(self) -> None:
        for namespace, name in self._made:
            self._lab.kubectl(SPOKE, "-n", namespace, "delete", "externalsecret", name)


def test_a_store_for_one_team(split: Split, ask: Ask) -> None:
    split.lab.bao(
        "kv", "put", "-mount=secret", "auth-service/key", "key=x", namespace=SPOKES[SPOKE]
    )
    assert ask("payments", "payment-service", "payment-service/db")
    assert not ask("payments", "auth-service", "payment-service/db"), "not its namespace"
    assert not ask("payments", "payment-service", "auth-service/key"), "not its path"
    assert ask("vault-backend", "auth-service", "auth-service/key")
