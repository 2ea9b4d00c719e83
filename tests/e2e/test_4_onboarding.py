"""One more block in the stack file, and later one less, while the fleet runs."""

from __future__ import annotations

import json

from tests.e2e.conftest import all_fine, let_go, onboard
from tests.e2e.fleet_lab import CRD, FleetLab


def test_onboarding_and_removal(lab: FleetLab, new_cluster: str) -> None:
    before = {one["urn"]: one for one in lab.state()}
    others = _uids(lab)
    onboard(lab, new_cluster)
    lab.up()

    after = {one["urn"]: one for one in lab.state()}
    assert all(f"::{new_cluster}" in urn for urn in after.keys() - before.keys()), (
        "only its own are new"
    )
    assert not before.keys() - after.keys(), "nothing is gone"
    changed = [urn for urn in before if _as_made(before[urn]) != _as_made(after[urn])]
    assert changed == [], "nothing else is touched"
    assert _uids(lab) == others

    lab.run_controllers()  # the new spoke's External Secrets
    all_fine(lab, 16)
    secret = lab.secret(new_cluster, "payment-service", "payment-db-credentials")
    assert secret["password"] == lab.written("production")["password"]
    lab.nothing_to_change()

    lab.restore_stack_file()
    with_it = lab.state()
    refused = lab.up(check=False)
    assert refused.code != 0
    assert f'"{new_cluster}"' in refused.output
    assert "fleet:allowDeletion" in refused.output, "the safe way is told"
    assert "takes two `up`" in refused.output, "it is protected"
    lab.allow_deletion(new_cluster)
    refused = lab.up(check=False)
    assert "takes two `up`" in refused.output, "not even allowed, as Pulumi would stop half-way"
    assert lab.state() == with_it
    let_go(lab, new_cluster)
    assert lab.get("hub", "secret", "-n", "argocd", f"cluster-{new_cluster}"), "nothing has left"
    lab.restore_stack_file()
    lab.allow_deletion(new_cluster)
    lab.up()
    lab.kubectl(
        "hub", "-n", "argocd", "delete", "applications", "-l", f"cluster_name={new_cluster}"
    )
    assert lab.get("hub", "secret", "-n", "argocd", f"cluster-{new_cluster}") is None
    mounts = json.loads(lab.bao("auth", "list", "-format=json", namespace="production").output)
    assert f"jwt-{new_cluster}/" not in mounts
    policies = json.loads(lab.bao("policy", "list", "-format=json", namespace="production").output)
    assert f"{new_cluster}-external-secrets" not in policies
    assert not [name for name in lab.applications() if name.startswith(new_cluster)], (
        "none is stuck"
    )
    all_fine(lab, 12)
    assert lab.image(new_cluster, "payment-service", "payment-service"), "its workloads still run"
    assert lab.secret(new_cluster, "payment-service", "payment-db-credentials") == secret
    lab.nothing_to_change()

    # From 4.29 on, Pulumi's Kubernetes plugin creates nothing that exists: so nothing may.
    assert lab.still_there(new_cluster, with_it) == [], "all that Pulumi had made is gone"
    assert lab.get(new_cluster, "crd", "externalsecrets.external-secrets.io"), (
        "and CRDs have stayed"
    )
    onboard(lab, new_cluster)
    refused_then_taken_over(lab, new_cluster)
    lab.nothing_to_change()


def refused_then_taken_over(lab: FleetLab, new: str) -> None:
    """The last block of the stack file is a cluster on which others have left what Fleet is to make."""
    lab.kubectl(new, "create", "namespace", "external-secrets")
    ours = lab.get(new, "crd", CRD)
    kept = {key: ours[key] for key in ("apiVersion", "kind", "spec")}
    (lab.home / "foreign.yaml").write_text(json.dumps({**kept, "metadata": {"name": CRD}}))
    lab.kubectl(new, "delete", "crd", CRD)
    lab.kubectl(new, "create", "--field-manager=another-tool", "-f", str(lab.home / "foreign.yaml"))
    before = lab.state()
    preview = lab.run("pulumi", "preview", "--stack", "lab", "--non-interactive", check=False)
    for refused in (preview, lab.failing_up()):
        assert refused.code != 0
        (told,) = {
            line.strip() for line in refused.output.splitlines() if line.startswith("    error:")
        }
        assert f'"{new}" has what this stack would make' in told
        assert f"CRD {CRD} (by another-tool); Namespace external-secrets (by kubectl-" in told
        assert "PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true" in told
        assert "docs/recover.md" in told
        assert "unhandled error" not in refused.output
    assert lab.state() == before, "nothing was made"
    lab.env["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
    try:
        told = lab.up().output
    finally:
        del lab.env["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"]
    assert "taken over, as PULUMI_K8S_UPSERT_EXISTING_OBJECTS has it" in told
    assert "fleet-crds" in json.dumps(lab.get(new, "crd", CRD, "--show-managed-fields"))
    lab.up()  # docs/recover.md: once more without it


def _uids(lab: FleetLab) -> set[str]:
    """The identity and version of every object that Fleet put on the hub and on another spoke."""
    objects = lab.get("hub", "applicationsets,appprojects,secrets", "-n", "argocd")["items"]
    objects += lab.get("staging", "clustersecretstores,clusterroles")["items"]
    return {f"{one['metadata']['uid']}/{one['metadata'].get('generation', 0)}" for one in objects
            if one["metadata"]["name"] not in ("cluster-prod-us-west-2",)}  # fmt: skip


def _as_made(resource: dict[str, object]) -> object:
    return {key: resource.get(key) for key in ("id", "inputs", "type")}
