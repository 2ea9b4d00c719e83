"""A hub on which others run an Argo CD: a stack that would own it is told what would change for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.fleet_lab import FleetLab

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
metadata: {name: argocd-cm, namespace: argocd}
data: {application.resourceTrackingMethod: label}
"""


@pytest.fixture
def theirs(lab: FleetLab, tmp_path: Path) -> Iterator[None]:
    """Argo CD's CRDs, an Application and a ConfigMap, made by hand; gone after the test."""
    manifest = Path(lab.env["FLEET_ARGOCD_MANIFEST"]).read_text()
    crds = [
        one
        for one in yaml.load_all(manifest, Loader=yaml.CSafeLoader)
        if one and one["kind"] == "CustomResourceDefinition"
    ]
    (tmp_path / "crds.yaml").write_text(yaml.dump_all(crds, Dumper=yaml.CSafeDumper))
    (tmp_path / "theirs.yaml").write_text(THEIRS)
    lab.kubectl(HUB, "create", "namespace", "argocd")
    try:
        lab.kubectl(HUB, "create", "-f", str(tmp_path / "crds.yaml"))
        lab.kubectl(HUB, "wait", "--for=condition=Established", "-f", str(tmp_path / "crds.yaml"))
        lab.kubectl(HUB, "create", "-f", str(tmp_path / "theirs.yaml"))
        yield
    finally:
        lab.kubectl(HUB, "delete", "--ignore-not-found", "-f", str(tmp_path / "crds.yaml"))
        lab.kubectl(HUB, "delete", "namespace", "argocd")


def test_it_is_not_owned_by_mistake(lab: FleetLab, theirs: None) -> None:
    lab.stack_file(STACK).write_text(
        yaml.safe_dump(
            {
                "config": {
                    "pulumi:disable-default-providers": ["kubernetes", "vault"],
                    "fleet:hub": {"context": HUB},
                    "fleet:argocd": {"manifest": "${FLEET_ARGOCD_MANIFEST}"},
                    "fleet:gitops": {"repo": "${FLEET_GITOPS_REPO}"},
                }
            }
        )
    )
    lab.ensure_stack(STACK)
    try:
        refused = lab.run("pulumi", "preview", "--stack", STACK, "--non-interactive", check=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(lab.env, "PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "true")
            also = lab.up(STACK, check=False)
        made = lab.state(STACK)
    finally:
        lab.run("pulumi", "stack", "rm", STACK, "--yes", "--force", check=False)
        lab.stack_file(STACK).unlink(missing_ok=True)
    for result in (refused, also):
        assert result.code != 0
        for said in (
            "fleet:argocd.manifest: the hub (staging) has what this stack would make",
            "It is an Argo CD with 1 Application (in argocd), 0 ApplicationSets and 0 AppProjects",
            'AppProject "default" emptied, so that 1 Application would no longer sync',
            "Leave `manifest` out, and this stack joins it",
            f"label namespace argocd fleet_stack={STACK}",
        ):
            assert said in result.output, result.output
        assert "unhandled error" not in result.output
    assert made == []
