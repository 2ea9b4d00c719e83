"""A release in steps, judged by what a real Prometheus has counted: it goes through, is aborted, or waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lab import prometheus
from lab.home import LabHome
from tests.e2e.conftest import all_fine
from tests.e2e.exporter import Exporter
from tests.e2e.fleet_lab import SPOKES, FleetLab, is_fine, wait_until

SERVICE, SPOKE = "search", "staging"
APPLICATION = f"{SPOKE}-{SERVICE}"
IMAGE = "registry.example.com/search"
REPLICAS = 10
# The first pause is longer than four measurements take, as it is in what the scaffold writes.
SHORTER = {
    "maxSurge: 1": "maxSurge: 4",
    "duration: 5m}\n        - setWeight: 30": "duration: 10s}\n        - setWeight: 30",
    "duration: 5m}\n        - setWeight: 60": "duration: 2s}\n        - setWeight: 60",
    "duration: 10m": "duration: 2s",
}
TEMPLATE = {"interval: 1m": "interval: 1s", "[5m]": "[5s]"}


@dataclass
class Canary:
    """The service in the lab, and what its requests come to."""

    lab: FleetLab
    exporter: Exporter

    @property
    def folder(self) -> Path:
        return self.lab.home / "gitops-config" / "apps" / SERVICE

    def push(self, message: str) -> str:
        """Commit and push what was changed; the commit."""
        self.lab.git("add", "--all")
        self.lab.git("commit", "--quiet", "-m", message)
        self.lab.git("push", "--quiet")
        return self.lab.git("rev-parse", "HEAD").strip()

    def release(self, tag: str) -> str:
        """Write another tag for staging, as CI does; the commit."""
        overlay = self.folder / "overlays" / SPOKE / "kustomization.yaml"
        lines = overlay.read_text().splitlines()
        lines = [f"    newTag: {tag}" if "newTag:" in one else one for one in lines]
        overlay.write_text("\n".join(lines) + "\n")
        return self.push(f"Release {tag} of {SERVICE}")

    def rollout(self) -> dict[str, Any]:
        found: dict[str, Any] = self.lab.get(SPOKE, "rollout", "-n", SERVICE, SERVICE)
        return found

    def status(self) -> dict[str, Any]:
        """What the controller says of the Rollout, once it has seen its last change."""
        rollout = self.rollout()
        status: dict[str, Any] = rollout.get("status", {})
        seen = status.get("observedGeneration") == str(rollout["metadata"]["generation"])
        return status if seen else {}

    def images(self) -> list[str]:
        """The tags of the Pods that are there, and not on their way out."""
        pods = self.lab.get(SPOKE, "pods", "-n", SERVICE)["items"]
        images = [
            one["spec"]["containers"][0]["image"].rpartition(":")[2]
            for one in pods
            if not one["metadata"].get("deletionTimestamp")
        ]
        return sorted(images)

    def run(self) -> dict[str, Any]:
        """The newest analysis: that of the release that is on, or was last."""
        found = self.lab.get(SPOKE, "analysisruns", "-n", SERVICE)["items"]
        newest: dict[str, Any] = max(found, key=lambda one: one["metadata"]["creationTimestamp"])
        return newest

    def application(self) -> dict[str, Any]:
        return self.lab.applications().get(APPLICATION, {})

    def health(self) -> str:
        return str(self.application().get("status", {}).get("health", {}).get("status"))

    def through(self, tag: str) -> None:
        """Wait until the release is everywhere and all is Healthy."""
        wait_until(
            f"{tag} is everywhere",
            lambda: (
                self.status().get("phase") == "Healthy"
                and self.images() == [tag] * REPLICAS
                and is_fine(self.application())
            ),
            timeout=120,
        )

    def measured(self, what: str) -> float | None:
        """The success rate of a service as Prometheus has it now; None where it has none."""
        template = yaml.safe_load((self.folder / "base" / "analysis-template.yaml").read_text())
        source = template["spec"]["metrics"][0]["provider"]["prometheus"]
        query = source["query"].replace("{{args.service-name}}", what)
        found = httpx.get(
            f"{source['address']}/api/v1/query", params={"query": query}, trust_env=False
        ).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def succeeds(self) -> None:
        """All requests of the service succeed, and Prometheus has seen it."""
        self.exporter.serves(SERVICE)
        wait_until("Prometheus has it", lambda: (self.measured(SERVICE) or 0) > 0.99)


@pytest.fixture(scope="module")
def canary(running_lab: FleetLab) -> Iterator[Canary]:
    """A service that `fleet scaffold` has written, with all that takes minutes cut to seconds; gone after the tests."""
    lab = running_lab
    lab.restore_stack_file()
    home, exporter = LabHome(lab.home), Exporter()
    target = prometheus.targets(home) / "canary.json"
    target.write_text(json.dumps([{"targets": [exporter.target]}]))
    lab.git("pull", "--quiet", "--rebase")
    before = lab.git("rev-parse", "HEAD").strip()
    found = Canary(lab, exporter)
    central = str(lab.home / "gitops-config")
    try:
        lab.run(
            "fleet", "scaffold", "service", SERVICE, f"--in={central}", "--stack=lab", "--yes",
            f"--image={IMAGE}:v1.0.0", "--canary",
        )  # fmt: skip
        _shorten(found.folder / "base", prometheus.address(home))
        # Argo Rollouts is on staging only.
        lab.git("add", "--all")
        lab.git("rm", "-r", "--quiet", "-f", f"apps/{SERVICE}/overlays/production")
        found.push(f"A new service, {SERVICE}")
        wait_until(
            "the new service runs",
            lambda: is_fine(found.application()) and found.status().get("phase") == "Healthy",
            timeout=180,
        )
        # The lab has no autoscaler: this is what one would do.
        lab.kubectl(SPOKE, "-n", SERVICE, "scale", "rollout", SERVICE, f"--replicas={REPLICAS}")
        found.through("v1.0.0")
        yield found
    finally:
        exporter.close()
        target.unlink()
        _undo(lab, before)


def _shorten(base: Path, address: str) -> None:
    where = {"http://prometheus.monitoring.svc:9090": address}
    for name, changes in (
        ("rollout.yaml", SHORTER),
        ("analysis-template.yaml", TEMPLATE | where),
    ):
        text = (base / name).read_text()
        for old, new in changes.items():
            assert old in text, f"{name} has {old!r}"
            text = text.replace(old, new)
        (base / name).write_text(text)


def _undo(lab: FleetLab, before: str) -> None:
    lab.git("reset", "--quiet", "--hard")
    lab.git("clean", "--quiet", "-fd")
    if lab.git("rev-parse", "HEAD").strip() != before:
        lab.git("rm", "-r", "--quiet", ".")
        lab.git("checkout", before, "--", ".")
        lab.git("commit", "--quiet", "-m", f"As it was before {SERVICE}")
        lab.git("push", "--quiet")
    newest = lab.git("rev-parse", "HEAD").strip()

    def everywhere() -> bool:
        found = {name: one for name, one in lab.applications().items() if name != APPLICATION}
        revisions = {one["status"].get("sync", {}).get("revision") for one in found.values()}
        return revisions == {newest}

    # Until then the set may make the Application again, and the platform the namespace.
    wait_until("the newest commit is everywhere", everywhere, timeout=240)
    lab.kubectl("hub", "-n", "argocd", "delete", "application", APPLICATION, "--ignore-not-found")
    for spoke in SPOKES:
        lab.kubectl(spoke, "delete", "namespace", SERVICE, "--ignore-not-found")
    all_fine(lab, 12)


def test_what_an_analysis_says(canary: Canary) -> None:
    """Of each thing that Prometheus may say: no requests are no success, and nothing but errors is a failure."""
    expected = {
        "good": "Running",
        "bad": "Failed",
        "broken": "Failed",
        "idle": "Inconclusive",
        "unknown": "Inconclusive",
    }
    serves = canary.exporter.serves
    serves("good", failing=0.01)
    serves("bad", failing=0.06)
    serves("broken", failing=1.0)
    serves("idle", idle=True)
    wait_until("Prometheus has rates", lambda: (canary.measured("good") or 0) > 0.9)
    wait_until("and errors", lambda: canary.measured("broken") == 0)
    assert canary.measured("unknown") is None
    template = canary.lab.get(SPOKE, "analysistemplate", "-n", SERVICE, "success-rate")
    runs = [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {"name": name, "namespace": SERVICE},
            "spec": {
                "args": [{"name": "service-name", "value": name}],
                "metrics": template["spec"]["metrics"],
            },
        }
        for name in expected
    ]
    file = canary.lab.home / "analysis-runs.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": runs}))
    canary.lab.kubectl(SPOKE, "apply", "-f", str(file))
    file.unlink()

    def results() -> dict[str, dict[str, Any]]:
        found = canary.lab.get(SPOKE, "analysisruns", "-n", SERVICE)["items"]
        return {one["metadata"]["name"]: one.get("status", {}) for one in found}

    wait_until(
        "each has an answer",
        lambda: {name: results()[name].get("phase") for name in expected} == expected,
        timeout=30,
    )
    wait_until(
        "what is good goes on being so",
        lambda: results()["good"]["metricResults"][0].get("successful", 0) > 5,
        timeout=30,
    )
    assert results()["good"]["phase"] == "Running"
    last = {name: one["metricResults"][0]["measurements"][-1] for name, one in results().items()}
    assert last["idle"]["value"] == "[NaN]"
    assert last["unknown"]["value"] == "[]"
    assert last["broken"]["value"] == "[0]"
    assert not any("error" in one["metricResults"][0] for one in results().values())
    canary.lab.kubectl(SPOKE, "-n", SERVICE, "delete", "analysisruns", *expected)


def test_a_good_release_goes_through(canary: Canary) -> None:
    canary.succeeds()
    canary.release("v1.1.0")
    steps: dict[int, int] = {}

    def done() -> bool:
        status = canary.status()
        if status.get("pauseConditions"):
            steps[status["currentStepIndex"]] = status["updatedReplicas"]
        return status.get("phase") == "Healthy" and canary.images() == ["v1.1.0"] * REPLICAS

    wait_until("v1.1.0 has gone through", done, timeout=120)
    assert steps == {1: 1, 3: 3, 5: 6}, "10, 30 and 60 of a hundred, of ten Pods"
    canary.through("v1.1.0")


def test_a_bad_release_is_aborted_and_the_next_one_goes_through(canary: Canary) -> None:
    canary.exporter.serves(SERVICE, failing=0.5)
    bad = canary.release("v1.2.0")
    wait_until("it is aborted", lambda: bool(canary.status().get("abort")), timeout=60)
    run, status = canary.run(), canary.status()
    assert run["status"]["phase"] == "Failed", run
    assert "failed (4) > failureLimit (3)" in run["status"]["message"]
    assert status["phase"] == "Degraded"
    wait_until(
        "the old one serves on, alone",
        lambda: canary.images() == ["v1.1.0"] * REPLICAS and canary.health() == "Degraded",
        timeout=60,
    )
    sync = canary.application()["status"]["sync"]
    assert (sync["status"], sync["revision"]) == ("Synced", bad), "git is at the bad version"

    canary.lab.git("revert", "--no-edit", "HEAD")
    canary.lab.git("push", "--quiet")
    canary.through("v1.1.0")

    # https://github.com/argoproj/argo-rollouts/issues/3578
    canary.succeeds()
    canary.release("v1.3.0")
    canary.through("v1.3.0")
    assert not canary.status().get("abort")


def test_a_release_that_nobody_can_judge_waits_for_a_person(canary: Canary) -> None:
    canary.exporter.forgets(SERVICE)
    wait_until("Prometheus has nothing", lambda: canary.measured(SERVICE) is None)
    canary.release("v1.4.0")

    def reasons() -> set[str]:
        return {one["reason"] for one in canary.status().get("pauseConditions", [])}

    # The step's own pause ends, and it goes on waiting.
    wait_until("it waits", lambda: reasons() == {"InconclusiveAnalysisRun"}, timeout=60)
    run = canary.run()
    assert run["status"]["phase"] == "Inconclusive", run
    wait_until("Argo CD says so", lambda: canary.health() == "Suspended", timeout=60)
    assert canary.images() == ["v1.3.0"] * 9 + ["v1.4.0"], "not promoted"

    canary.succeeds()
    canary.lab.run(
        "argocd", "app", "actions", "run", APPLICATION, "resume", "--kind=Rollout",
        f"--resource-name={SERVICE}",
    )  # fmt: skip
    canary.through("v1.4.0")
