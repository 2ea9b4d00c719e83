"""A hub on which others run an Argo CD: a stack that would own it is told what would change, and can be given it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.e2e.fleet_lab import FleetLab, Result

HUB, STACK = "staging", "second"
"""A spoke of the lab's, here the hub of another stack."""
THEIRS = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: theirs, namespace: argocd}
spec:
  project: default
  destination: {server: https://kubernetes.default.svc, namespace: default}
  source: {repoURL: https://git.example.com/theirs.git, path: .}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
data: {application.resourceTrackingMethod: label, theirs: kept}
"""


@pytest.fixture
def theirs(lab: FleetLab, tmp_path: Path) -> Iterator[None]:
    """Argo CD as its guide installs it, with an Application and a setting; gone after the test."""
    manifest = lab.env["FLEET_ARGOCD_MANIFEST"]
    (tmp_path / "theirs.yaml").write_text(THEIRS)
    lab.kubectl(HUB, "create", "namespace", "argocd")
    try:
        lab.kubectl(HUB, "-n", "argocd", "apply", "--server-side", "-f", manifest)
        lab.kubectl(HUB, "wait", "--for=condition=Established", "crd", "applications.argoproj.io")
        lab.kubectl(
            HUB, "apply", "--server-side", "--force-conflicts", "-f", str(tmp_path / "theirs.yaml")
        )
        yield
    finally:
        gone = ["delete", "--ignore-not-found", "--wait=false", "-f", manifest]
        lab.kubectl(HUB, "-n", "argocd", *gone)
        lab.kubectl(HUB, "delete", "--ignore-not-found", "namespace", "argocd")


@pytest.fixture
def second(lab: FleetLab) -> Iterator[None]:
    """The stack file and the stack."""
    config = {
        "pulumi:disable-default-providers": ["kubernetes", "vault"],
        "fleet:hub": {"context": HUB},
        "fleet:argocd": {"manifest": "${FLEET_ARGOCD_MANIFEST}"},
        "fleet:gitops": {"repo": "${FLEET_GITOPS_REPO}"},
    }
    lab.stack_file(STACK).write_text(yaml.safe_dump({"config": config}))
    lab.run("pulumi", "stack", "init", STACK, "--secrets-provider", "passphrase", "--no-select")
    try:
        yield
    finally:
        lab.run("pulumi", "stack", "rm", STACK, "--yes", "--force", check=False)
        lab.stack_file(STACK).unlink(missing_ok=True)


@contextmanager
def _taking_over(lab: FleetLab) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("UPSERT_EXISTING_OBJECTS", "ENABLE_PATCH_FORCE"):
            patch.setitem(lab.env, f"PULUMI_K8S_{variable}", "true")
        yield


def test_it_is_not_owned_by_mistake_and_taken_over_on_purpose(
    lab: FleetLab, theirs: None, second: None
) -> None:
    _refused(lab.run("pulumi", "preview", "--stack", STACK, "--non-interactive", check=False))
    with _taking_over(lab):
        _refused(lab.up(STACK, check=False))
    assert not [one["urn"] for one in lab.state(STACK) if "kubernetes" in one["type"]]

    lab.kubectl(HUB, "label", "namespace", "argocd", f"fleet_stack={STACK}")
    before = _uids(lab)
    with _taking_over(lab):
        told = lab.up(STACK).output
    assert "1 Application (in argocd)" in told, "what changes is told once more"
    lab.up(STACK)
    lab.nothing_to_change(STACK)
    assert _uids(lab) == before, "nothing was made anew"
    config = lab.get(HUB, "configmap", "-n", "argocd", "argocd-cm")["data"]
    assert config["application.resourceTrackingMethod"] == "annotation"
    assert config["theirs"] == "kept"
    assert lab.get(HUB, "application.argoproj.io", "-n", "argocd", "theirs")


def _uids(lab: FleetLab) -> set[str]:
    kinds = "deployments,statefulsets,configmaps,secrets,services,applications.argoproj.io"
    found = lab.get(HUB, kinds, "-n", "argocd")["items"]
    # The record of the CRDs is new.
    return {one["metadata"]["uid"] for one in found if one["metadata"]["name"] != "argocd-crds"}


def _refused(result: Result) -> None:
    assert result.code != 0
    for said in (
        "fleet:argocd.manifest: the hub (staging) has what this stack would make, and others made it: ",
        "applications.argoproj.io, applicationsets.argoproj.io, appprojects.argoproj.io (by kubectl); ",
        "It is an Argo CD with 1 Application (in argocd), 0 ApplicationSets and 0 AppProjects",
        'AppProject "default" emptied, so that 1 Application would no longer sync',
        "application.resourceTrackingMethod: label -> annotation",
        "Leave `manifest` out, and this stack joins it",
        f"label namespace argocd fleet_stack={STACK}`, then one `up` with",
    ):
        assert said in result.output, result.output
    assert "unhandled error" not in result.output
