"""CRDs are on each cluster and out of Pulumi's state, which has a digest of each."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.fleet_lab import SPOKES, FleetLab

NAMESPACE, RECORD = "external-secrets", "external-secrets-crds"
SPARE = "webhooks.generators.external-secrets.io"
"""A CRD of which the lab has no object."""


def test_the_record_names_what_the_cluster_serves(lab: FleetLab) -> None:
    places = {"hub": ("argocd", "argocd-crds"), **dict.fromkeys(SPOKES, (NAMESPACE, RECORD))}
    for context, (namespace, name) in places.items():
        record = lab.get(context, "configmap", "-n", namespace, name)["data"]
        assert len(record) >= 3
        served = {one["metadata"]["name"]: one for one in lab.get(context, "crd")["items"]}
        for crd in record:
            conditions = served[crd]["status"]["conditions"]
            assert {"Established"} <= {
                each["type"] for each in conditions if each["status"] == "True"
            }


def test_the_state_is_small(lab: FleetLab) -> None:
    (file,) = lab.home.glob("pulumi-state/.pulumi/stacks/fleet/lab.json")
    state = json.loads(file.read_text())["checkpoint"]["latest"]["resources"]
    assert not [one["urn"] for one in state if "CustomResourceDefinition" in one["type"]]
    for spoke in SPOKES:
        own = [one for one in state if f"::{spoke}" in one["urn"]]
        assert len(own) > 10
        assert len(json.dumps(own)) < 200_000, f"bytes of {spoke} in the state"


def test_what_was_deleted_by_hand_comes_back_with_its_record(lab: FleetLab) -> None:
    lab.kubectl("staging", "delete", "crd", SPARE)
    _apply_anew(lab)
    assert lab.get("staging", "crd", SPARE)
    lab.nothing_to_change()


def test_what_others_made_is_not_taken_over_unasked(lab: FleetLab) -> None:
    ours = lab.get("staging", "crd", SPARE)
    foreign = lab.home / "foreign-crd.yaml"
    kept = {key: ours["metadata"][key] for key in ("name", "labels") if key in ours["metadata"]}
    foreign.write_text(
        json.dumps({**{key: ours[key] for key in ("apiVersion", "kind", "spec")}, "metadata": kept})
    )
    lab.kubectl("staging", "delete", "crd", SPARE)
    lab.kubectl("staging", "create", "--field-manager=another-tool", "-f", str(foreign))
    foreign.unlink()
    try:
        _refused_then_taken_over(lab)
    finally:
        lab.kubectl("staging", "delete", "crd", SPARE)  # whatever it is by now
        _apply_anew(lab)
    assert lab.crd_mark("staging") == ""
    lab.nothing_to_change()


def _refused_then_taken_over(lab: FleetLab) -> None:
    with lab.changed_crds("foreign"):
        refused = lab.failing_up()
        assert f"CRDs that Fleet did not make: {SPARE} (another-tool)" in refused.output
        assert lab.crd_mark("staging") == "", "none of them was applied"
        assert lab.crd_mark("prod-us-east-1") == "foreign", "the others have converged"
        lab.env["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
        try:
            lab.up()
        finally:
            del lab.env["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"]
        assert lab.crd_mark("staging") == "foreign"
        taken = lab.get("staging", "crd", SPARE, "--show-managed-fields")["metadata"]
        assert "fleet-crds" in [one["manager"] for one in taken["managedFields"]]


WRONG = """
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: wrongs.example.com}
spec: {group: example.org, scope: Cluster, names: {kind: Wrong, plural: wrongs}, versions: []}
"""


def test_what_the_hub_refuses_costs_it_nothing(lab: FleetLab, tmp_path: Path) -> None:
    """All of Argo CD depends on its CRDs; while they can't be applied, it stays as it is."""
    released = lab.env["FLEET_ARGOCD_MANIFEST"]
    manifest = tmp_path / "install.yaml"
    manifest.write_text(Path(released).read_text() + WRONG)
    server = lab.get("hub", "deployment", "-n", "argocd", "argocd-server")["metadata"]["uid"]
    lab.env["FLEET_ARGOCD_MANIFEST"] = str(manifest)
    try:
        told = lab.failing_up().output
    finally:
        lab.env["FLEET_ARGOCD_MANIFEST"] = released
    assert '"hub/argocd-crds" failed: its CRDs can\'t be applied' in told
    assert "wrongs.example.com" in told
    assert (
        lab.get("hub", "deployment", "-n", "argocd", "argocd-server")["metadata"]["uid"] == server
    )
    lab.nothing_to_change()


def _apply_anew(lab: FleetLab) -> None:
    """Have all CRDs of staging applied anew, as docs/recover.md says."""
    lab.kubectl("staging", "delete", "configmap", "-n", NAMESPACE, RECORD)
    lab.run(
        "pulumi", "up", "--refresh", "--stack", "lab", "--yes", "--skip-preview",
        "--non-interactive",
    )  # fmt: skip
