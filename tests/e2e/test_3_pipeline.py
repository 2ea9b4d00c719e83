"""The article's pipeline: CI's image to staging, by a pull request to production, and back; and who did it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import all_fine
from tests.e2e.fleet_lab import FleetLab, Result, wait_until
from tests.e2e.releasing import Forge, fleet, number

SERVICE = "notification-service"
IMAGE = f"registry.example.com/{SERVICE}"
PRODUCTION = ("prod-us-east-1", "prod-eu-west-1")
BUILD, TESTED = "https://ci.example.com/build/1", "https://ci.example.com/tests/2"


@pytest.fixture(scope="module")
def forge(running_lab: FleetLab) -> Iterator[Forge]:
    """The forge with branch rules; after the last test the repo has the files that it had."""
    lab = running_lab
    lab.git("pull", "--quiet", "--rebase")
    head = lab.git("rev-parse", "HEAD").strip()
    made = Forge(lab, "gitops-config")
    with made.protected():
        yield made
    lab.git("pull", "--quiet", "--rebase")
    lab.git("rm", "-r", "--quiet", ".")
    lab.git("checkout", head, "--", ".")
    lab.git("commit", "--quiet", "-m", "As it was before the releases")
    lab.git("push", "--quiet")
    all_fine(lab, 12)


def _images(lab: FleetLab) -> set[str]:
    return {lab.image(spoke, SERVICE, SERVICE) for spoke in PRODUCTION}


def _promoted(lab: FleetLab, forge: Forge) -> Result:
    """Once staging runs it: until then it is refused."""
    end = time.monotonic() + 90
    words = ("promote", SERVICE, "--from=staging", "--to=production", f"--tested={TESTED}")
    while (done := fleet(lab, forge.token, *words, check=False)).code and time.monotonic() < end:
        assert "refused: staging-notification-service: " in done.output, done.output
    return done


def test_from_ci_to_production(lab: FleetLab, forge: Forge) -> None:
    image = f"{IMAGE}:v2.3.1"
    done = fleet(
        lab, forge.token, "promote", SERVICE, f"--image={image}", "--to=staging", f"--build={BUILD}"
    )
    print(done.output)
    done = _promoted(lab, forge)
    print(done.output)
    assert done.code == 0, done.output
    pull = number(done.output)
    assert lab.image("staging", SERVICE, SERVICE) == image, "that is what was waited for"
    assert not forge.merges(pull), "nobody has approved"
    forge.approve(pull)
    assert forge.merges(pull)
    took = wait_until("production runs it", lambda: _images(lab) == {image})
    print(f"in production {took:.1f} s after the merge")


def test_who_did_it(lab: FleetLab, forge: Forge) -> None:
    wait_until(
        "the chain is whole",
        lambda: (
            fleet(lab, forge.token, "audit", SERVICE, "-e", "production", check=False).code == 0
        ),
    )
    done = fleet(lab, forge.token, "audit", SERVICE, "-e", "production")
    print(done.output)
    for word in (BUILD, TESTED, "approver", "promotion/integration success", "the chain is whole"):
        assert word in done.output
    cells = json.loads(fleet(lab, forge.token, "services", SERVICE, "--json").output)
    assert {(one["cluster"], one["version"], one["sync"]) for one in cells} == {
        (cluster, "v2.3.1", "Synced") for cluster in (*PRODUCTION, "staging")
    }
    print(fleet(lab, forge.token, "services").output)


def test_back_by_rollback(lab: FleetLab, forge: Forge) -> None:
    why = "--reason=error rate, incident 812"
    done = fleet(lab, forge.token, "rollback", SERVICE, "-e", "production", why)
    print(done.output)
    pull = number(done.output)
    # Its gates are those of promotions; whoever rolls back in a hurry pushes.
    assert not forge.merges(pull)
    done = fleet(lab, forge.token, "rollback", SERVICE, "-e", "production", why, "--now")
    print(done.output)
    took = wait_until("production is back", lambda: _images(lab) == {f"{IMAGE}:v2.3.0"})
    print(f"rolled back {took:.1f} s after the push")
    held = fleet(
        lab, forge.token, "promote", SERVICE, "--from=staging", "--to=production", check=False
    )
    print(held.output)
    assert held.code == 1
    assert "v2.3.1 is on hold in production" in held.output
    print(fleet(lab, forge.token, "hold", SERVICE, "-e", "production", "--lift", "--now").output)


def test_a_change_by_hand_is_told_as_such(lab: FleetLab, forge: Forge) -> None:
    overlay = lab.home / f"gitops-config/apps/{SERVICE}/overlays/production/kustomization.yaml"
    lab.git("pull", "--quiet", "--rebase")
    base = lab.git("rev-parse", "HEAD").strip()
    overlay.write_text(overlay.read_text().replace("v2.3.0", "v2.3.9-hotfix"))
    lab.git("commit", "--quiet", "-am", "Just this once")
    lab.git("push", "--quiet")
    wait_until("production has it", lambda: _images(lab) == {f"{IMAGE}:v2.3.9-hotfix"})
    done = fleet(lab, forge.token, "audit", SERVICE, "-e", "production", check=False)
    print(done.output)
    assert done.code == 1
    assert "a hand on the tag" in done.output
    clone = str(lab.home / "gitops-config")
    lint = fleet(lab, forge.token, "lint", clone, f"--base={base}", check=False)
    assert lint.code == 1
    assert "by a hand on the tag" in lint.output


def test_ten_promoters_at_once(lab: FleetLab, forge: Forge) -> None:
    """Ten processes, three services, one branch of a real forge: each promotion is a commit, none is lost."""
    services = ("payment-service", "auth-service", SERVICE)
    env = {**os.environ, **lab.env, "FLEET_FORGE_TOKEN": forge.token}
    lab.git("pull", "--quiet", "--rebase")
    before = int(lab.git("rev-list", "--count", "HEAD"))
    running = []
    for place in range(10):
        service = services[place % 3]
        image = f"--image=registry.example.com/{service}:v3.{place}.0"
        words = ["fleet", "promote", service, image, "--to=staging", "--stack=lab"]
        running.append(
            subprocess.Popen(
                words, cwd=lab.project, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        )
    said = [one.communicate(timeout=240)[0].decode() for one in running]
    assert [one.returncode for one in running] == [0] * 10, said
    lab.git("pull", "--quiet", "--rebase")
    assert int(lab.git("rev-list", "--count", "HEAD")) == before + 10
    log = lab.git("log", "--format=%s", "-10")
    assert {one.rpartition(" ")[2] for one in log.split("\n") if one} == {
        f"v3.{place}.0" for place in range(10)
    }
