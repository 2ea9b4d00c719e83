"""The hub as a spoke of its own: Argo CD deploys to the cluster that it runs in, if a stack says so."""

from __future__ import annotations

from typing import Any

import yaml

from tests.e2e.fleet_lab import FleetLab, is_fine, wait_until
from tests.e2e.split import HUB, Split


def _as_a_spoke(config: dict[str, Any]) -> None:
    config["fleet:environments"] = ["hub"]
    config["fleet:vault"].update(namespace="{environment}", readPaths=["platform/*"])
    config["fleet:spokes"] = [
        {
            "name": "management",
            "environment": "hub",
            "region": "us-east-1",
            "auth": {"kind": "inCluster"},
        }
    ]
    config["fleet:applicationSets"] = [
        {
            "name": "management-policies",
            "layout": "directory",
            "path": "base/network-policies/policies",
            "namespace": "platform",
        },
        {"name": "management-addons", "layout": "directory", "path": "hub", "namespace": "addons"},
    ]


MARK = "fleet-test-intruder"
RBAC = "rbac.authorization.k8s.io"
ACCOUNT = {"kind": "ServiceAccount", "name": "default", "namespace": "addons"}
ADMIN = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}


def _object(kind: str, group: str = "v1", namespace: str = "addons", **more: Any) -> dict[str, Any]:
    metadata = {"name": MARK, "namespace": namespace}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **more}


INTRUDERS = [
    _object("ConfigMap"),
    _object("RoleBinding", f"{RBAC}/v1", roleRef=ADMIN, subjects=[ACCOUNT]),
    _object("ClusterRoleBinding", f"{RBAC}/v1", "", roleRef=ADMIN, subjects=[ACCOUNT]),
    _object("ConfigMap", namespace="argocd"),
    _object(
        "AppProject",
        "argoproj.io/v1alpha1",
        spec={"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]},
    ),
]
"""By any of the last four, who may commit would get what Argo CD may: everything, on the hub and all spokes."""


def _commit(lab: FleetLab, objects: list[dict[str, Any]]) -> None:
    folder = lab.home / "gitops-config" / "hub"
    lab.git("pull", "--quiet", "--rebase")
    folder.mkdir(exist_ok=True)
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    lab.git("add", "hub")
    lab.git("commit", "--quiet", "-m", "Addons for the hub")
    lab.git("push", "--quiet")


def _not_let_in(lab: FleetLab) -> None:
    """What Argo CD says of the commit, and that nothing of it is on the hub, the harmless part neither."""
    said: set[str] = set()

    def tried() -> bool:
        status = lab.applications().get("management-management-addons", {}).get("status", {})
        result = status.get("operationState", {}).get("syncResult", {})
        said.update(one.get("message", "") for one in result.get("resources") or ())
        return bool(said)

    wait_until("Argo CD has tried", tried, timeout=120)
    for kind in (f"{RBAC}:RoleBinding", f"{RBAC}:ClusterRoleBinding", "argoproj.io:AppProject"):
        assert f"resource {kind} is not permitted in project hub" in said
    assert "namespace argocd is not permitted in project 'hub'" in said
    for kind in ("configmap", "rolebinding", "clusterrolebinding", "appproject"):
        found = [one["metadata"]["name"] for one in lab.get("hub", kind, "-A")["items"]]
        assert MARK not in found, kind


def test_the_hub_as_a_spoke(split: Split) -> None:
    lab = split.lab
    application = "management-management-policies"
    _commit(lab, INTRUDERS)
    with split.edited(HUB):
        lab.edit(_as_a_spoke, HUB)
        lab.up(HUB)
        lab.run_controllers()  # argocd-cm has changed: in-cluster is allowed now
        wait_until(
            "Argo CD deploys to its own cluster",
            lambda: is_fine(lab.applications().get(application, {})),
            timeout=120,
        )
        assert lab.get("hub", "networkpolicy", "-n", "platform", "default-deny")
        assert lab.applications()[application]["spec"]["project"] == "hub"
        _not_let_in(lab)
        _commit(lab, INTRUDERS[:1])
        # Made anew by its set, it doesn't go on trying the commit before.
        lab.kubectl("hub", "-n", "argocd", "delete", "application", "management-management-addons")
        wait_until(
            "the harmless part alone comes through",
            lambda: bool(lab.get("hub", "configmap", "-n", "addons", MARK)),
        )
        store = lab.get("hub", "clustersecretstore", "vault-backend")
        assert store["spec"]["provider"]["vault"]["namespace"] == "hub"
        lab.nothing_to_change(HUB)
        lab.run("fleet", "status", "--stack", HUB, "--wait", "--timeout", "60")
    refused = lab.up(HUB, check=False)
    assert refused.code != 0
    assert "management" in refused.output
    with split.edited(HUB):
        lab.allow_deletion("management", stack=HUB)
        lab.up(HUB)
    lab.kubectl("hub", "-n", "argocd", "delete", "applications", "-l", "cluster_name=management")
    lab.git("revert", "--no-edit", "HEAD", "HEAD~1")
    lab.git("push", "--quiet")
    lab.nothing_to_change(HUB)
