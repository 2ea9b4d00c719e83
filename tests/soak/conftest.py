"""The lab of the e2e tests, for what takes too long for them."""

from __future__ import annotations

from tests.e2e.conftest import lab, new_cluster, pytest_runtest_logreport, running_lab

__all__ = ["lab", "new_cluster", "pytest_runtest_logreport", "running_lab"]
