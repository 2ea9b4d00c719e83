"""CRDs are on each cluster and out of Pulumi's state, which has a digest of each."""

from __future__ import annotations

import json

from tests.e2e.fleet_lab import CRD, SPOKES, FleetLab

RECORDS = {"argocd-crds": "argocd", "external-secrets-crds": "external-secrets"}
SPARE = "webhooks.generators.external-secrets.io"
"""A CRD of which the lab has no object."""


def test_the_record_names_what_the_cluster_serves(lab: FleetLab) -> None:
    for context, name in [
        ("hub", "argocd-crds"),
        *((one, "external-secrets-crds") for one in SPOKES),
    ]:
        record = lab.get(context, "configmap", "-n", RECORDS[name], name)["data"]
        served = {
            one["metadata"]["name"]: {
                each["type"]: each["status"] for each in one["status"]["conditions"]
            }
            for one in lab.get(context, "crd")["items"]
        }
        assert len(record) >= 3
        assert all(served[crd]["Established"] == "True" for crd in record)


def test_the_state_is_small(lab: FleetLab) -> None:
    state = lab.state()
    assert not [one["urn"] for one in state if "CustomResourceDefinition" in one["type"]]
    for spoke in SPOKES:
        own = [one for one in state if f"::{spoke}" in one["urn"]]
        assert len(own) > 10
        assert len(json.dumps(own, indent=4)) < 200_000, f"bytes of {spoke} in the state"


def test_what_was_deleted_by_hand_comes_back_with_its_record(lab: FleetLab) -> None:
    lab.kubectl("staging", "delete", "crd", SPARE)
    lab.kubectl("staging", "delete", "configmap", "-n", "external-secrets", "external-secrets-crds")
    lab.run(
        "pulumi",
        "up",
        "--refresh",
        "--stack",
        "lab",
        "--yes",
        "--skip-preview",
        "--non-interactive",
    )
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
    with lab.changed_crds("foreign"):
        refused = lab.up(check=False)
        assert refused.code != 0
        assert f"CRDs that Fleet did not make: {SPARE} (another-tool)" in refused.output
        assert "Traceback" not in refused.output
        assert lab.crd_mark("staging") == "", "none of them was applied"
        assert lab.crd_mark("prod-us-east-1") == "foreign", "the others have converged"
        lab.env["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
        try:
            lab.up()
        finally:
            del lab.env["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"]
        assert lab.crd_mark("staging") == "foreign"
        managers = [
            one["manager"]
            for one in lab.get("staging", "crd", SPARE, "--show-managed-fields")["metadata"][
                "managedFields"
            ]
        ]
        assert "fleet" in managers
    lab.up()
    assert lab.crd_mark("staging") == ""
    assert lab.get("staging", "crd", CRD)
    lab.nothing_to_change()
