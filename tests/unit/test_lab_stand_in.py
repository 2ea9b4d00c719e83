from __future__ import annotations

from pathlib import Path

import pytest

from lab import argo_rollouts, prometheus
from lab.home import LabHome, write_private


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    found = LabHome(tmp_path / "lab").create()
    write_private(found.clusters, '["hub", "staging", "dev"]')
    return found


def test_a_controller_is_a_part_where_it_was_started(home: LabHome) -> None:
    assert argo_rollouts.part_names(home) == []
    write_private(home.root / "argo-rollouts" / "argo-rollouts-staging-1234.kubeconfig", "")
    assert argo_rollouts.part_names(home) == ["argo-rollouts-staging"]


def test_prometheus_stays_where_it_is(home: LabHome) -> None:
    assert prometheus.address(home) == prometheus.address(home)
    assert prometheus.targets(home).is_relative_to(home.root)
