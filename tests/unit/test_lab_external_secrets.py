from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab import external_secrets
from lab.home import LabHome, write_private


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    found = LabHome(tmp_path / "lab").create()
    write_private(found.clusters, '["hub", "staging", "dev"]')
    return found


class FakeApi:
    """A hub or spoke with these lists by path."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    def get(self, path: str) -> dict[str, Any] | None:
        return next((content for part, content in self.found.items() if part in path), None)


def metadata(name: str, delivery: str) -> dict[str, Any]:
    return {"labels": {"cluster_name": name, "external_secrets_delivery": delivery}}


def test_the_hubs_controller_is_a_part_where_the_hub_has_external_secrets(home: LabHome) -> None:
    spokes = ["external-secrets-staging", "external-secrets-dev"]
    assert external_secrets.part_names(home) == spokes
    write_private(home.external_secrets / "external-secrets-hub-1234.kubeconfig", "")
    assert external_secrets.part_names(home) == ["external-secrets-hub", *spokes]


def test_cluster_secrets_are_known_before_they_are_rendered() -> None:
    template = {"metadata": metadata("dev", "argocd")}
    hub = FakeApi(
        {
            "/secrets": {"items": [{"metadata": metadata("staging", "pulumi")}]},
            "/externalsecrets": {
                "items": [{"spec": {"target": {"template": template}}}, {"spec": {}}]
            },
        }
    )
    found = external_secrets._cluster_labels(hub)  # type: ignore[arg-type]
    assert [(one["cluster_name"], one["external_secrets_delivery"]) for one in found] == [
        ("staging", "pulumi"),
        ("dev", "argocd"),
    ]
    assert external_secrets._cluster_labels(FakeApi({})) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accounts", "expected"), [(["external-secrets"], True), (["other", None], False), ([], False)]
)
def test_it_is_installed_once_its_deployment_is_there(
    accounts: list[str | None], expected: bool
) -> None:
    items = [{"spec": {"template": {"spec": {"serviceAccountName": one}}}} for one in accounts]
    api = FakeApi({"/deployments": {"items": items}})
    assert external_secrets.CONTROLLER.is_installed(api) is expected  # type: ignore[arg-type]
    assert not external_secrets.CONTROLLER.is_installed(FakeApi({}))  # type: ignore[arg-type]
