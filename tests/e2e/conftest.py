"""One lab for all e2e tests of a run: real API servers, Argo CD, External Secrets, Vault API and git."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fleet_lab import REPO, FleetLab, is_fine, wait_until
from tests.e2e.split import Split, build

NEW = "prod-us-west-2"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def running_lab() -> Iterator[FleetLab]:
    """The lab, started as `make lab` does and stopped at the end.

    `FLEET_E2E_LAB` names a lab's folder to use instead, and to leave running: for work on the tests themselves.
    """
    kept = os.environ.get("FLEET_E2E_LAB")
    # A home of its own with a short path: the person's own lab goes on undisturbed.
    home = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="fleet-e2e-"))
    lab = FleetLab(home)
    try:
        lab.start(owner=None if kept else os.getpid())
        yield lab
    except BaseException:
        _failures.append("the lab itself")
        raise
    finally:
        if _failures:
            print(f"\nthe lab's logs are in {home}/logs")
        if not kept:
            wipe = [] if _failures else ["--wipe", "--yes"]
            lab.run("fleet", "lab", "down", *wipe, cwd=REPO, check=False)


_failures: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed and "e2e" in report.keywords:
        _failures.append(report.nodeid)


@pytest.fixture
def lab(running_lab: FleetLab) -> Iterator[FleetLab]:
    """The lab with the stack file as committed, before and after the test."""
    running_lab.restore_stack_file()
    yield running_lab
    running_lab.restore_stack_file()


@pytest.fixture
def new_cluster(lab: FleetLab) -> Iterator[str]:
    """One more cluster, that no stack file names yet; gone, with what the fleet knew of it, after the test."""
    lab.run("fleet", "lab", "add-cluster", NEW, cwd=REPO)
    yield NEW
    lab.run("pulumi", "cancel", "--yes", "--stack", "lab", check=False)
    if any(one.get("protect") and f"::{NEW}-" in one["urn"] for one in lab.state()):
        let_go(lab, NEW)
    lab.restore_stack_file()
    lab.allow_deletion(NEW)
    lab.up(check=False)
    lab.kubectl("hub", "-n", "argocd", "delete", "applications", "-l", f"cluster_name={NEW}")
    lab.run("fleet", "lab", "remove-cluster", NEW, "--yes", cwd=REPO)


@pytest.fixture(scope="session")
def split(running_lab: FleetLab, tmp_path_factory: pytest.TempPathFactory) -> Split:
    """The split fleet, built on the same lab once the single stack's tests are done with it."""
    return build(running_lab, tmp_path_factory.mktemp("split"))


def onboard(lab: FleetLab, name: str) -> None:
    """Write one more block into the stack file."""
    block = {"name": name, "environment": "production", "region": "us-west-2"}
    lab.edit(lambda config: config["fleet:spokes"].append(block))


def let_go(lab: FleetLab, name: str) -> None:
    """The first of the two `up` by which a protected spoke leaves."""
    lab.restore_stack_file()
    onboard(lab, name)
    lab.allow_deletion(name)
    lab.up()


def all_fine(lab: FleetLab, count: int) -> None:
    """Wait until `count` Applications are there, every one Synced and Healthy."""

    def fine() -> bool:
        found = lab.applications()
        return len(found) == count and all(map(is_fine, found.values()))

    # Argo CD itself may take three minutes to make the Application of a cluster whose address has changed.
    wait_until(f"{count} Applications Synced and Healthy", fine, timeout=420)
