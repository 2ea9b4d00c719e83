"""The rights of `argocd-manager` and of External Secrets, as a real API server reads them."""

from __future__ import annotations

import json
from typing import Any

import yaml
from rich.console import Console

from lab.toolchain import ensure
from stacks.desired import argocd_manager as rights
from stacks.desired import external_secrets_rights
from stacks.desired import vault_identity as identity
from stacks.desired.objects import CRD
from stacks.model.fleet import Fleet
from tests.lab_repo import lab_repo
from tests.real.conftest import Cluster

NAMESPACE = "kube-system"
MANAGER = f"--as=system:serviceaccount:{NAMESPACE}:{rights.ACCOUNT}"
API = "rbac.authorization.k8s.io/v1"


def _give(cluster: Cluster, **spoke: Any) -> list[dict[str, Any]]:
    """Give the manager its rights; what Argo CD would deliver of External Secrets' own."""
    block = {"name": "prod-1", "environment": "production", "region": "eu-west-1", **spoke}
    fleet = Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com", "auth": "kubernetes"},
            "externalSecrets": {"chart": "chart"},
            "argoRollouts": {"manifest": "install.yaml"},
            "spokes": [block],
        }
    )
    one = fleet.spokes[0]
    _apply(
        cluster,
        {
            "apiVersion": API,
            "kind": "ClusterRole",
            "metadata": {"name": rights.ROLE},
            "rules": rights.rules(fleet, one),
        },
        {
            "apiVersion": API,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": rights.BINDING},
            "roleRef": {"apiGroup": API[:-3], "kind": "ClusterRole", "name": rights.ROLE},
            "subjects": [
                {"kind": "ServiceAccount", "name": rights.ACCOUNT, "namespace": NAMESPACE}
            ],
        },
    )
    objects = external_secrets_rights.objects(fleet, identity.of_spoke(fleet, one))
    return [
        json.loads(json.dumps(one).replace('"external-secrets"', '"default"')) for one in objects
    ]


def _apply(cluster: Cluster, *objects: dict[str, Any], user: str = "") -> str:
    listed = {"apiVersion": "v1", "kind": "List", "items": [*objects]}
    command = ["apply", "--server-side", "--force-conflicts", "-f", "-", *([user] if user else [])]
    return cluster.kubectl(*command, stdin=json.dumps(listed), check=not user)


def test_it_hands_out_what_it_has_and_no_more(cluster: Cluster) -> None:
    mine = _give(cluster)
    for path in ("namespaces", "rbac"):
        cluster.kubectl("apply", "--server-side", MANAGER, "-k", str(lab_repo() / "base" / path))
    for one in mine:
        assert not _apply(cluster, one, user=MANAGER), one["metadata"]["name"]
    cluster.kubectl("get", "pods", "-A", MANAGER)
    assert cluster.kubectl("auth", "can-i", "get", "secrets", MANAGER, check=False).strip() == "no"


def test_it_delivers_external_secrets_and_nothing_stronger(cluster: Cluster) -> None:
    for one in _give(cluster, delivery="argocd"):
        applied = _apply(cluster, one, user=MANAGER)
        assert "serverside-applied" in applied, one["metadata"]["name"]
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    strong = {"apiVersion": API, "kind": "ClusterRole", "metadata": {"name": "strong"}}
    assert not _apply(cluster, {**strong, "rules": everything}, user=MANAGER)
    admin = {
        "apiVersion": API,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "strong"},
        "roleRef": {"apiGroup": API[:-3], "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": API[:-3], "kind": "Group", "name": "anybody"}],
    }
    assert not _apply(cluster, admin, user=MANAGER)


def _rollouts_crds(cluster: Cluster) -> None:
    toolbox = ensure(["argo-rollouts"], console=Console(stderr=True))
    manifest = (toolbox.share("argo-rollouts") / "install.yaml").read_text()
    crds = [one for one in yaml.load_all(manifest, Loader=yaml.CSafeLoader) if one["kind"] == CRD]
    _apply(cluster, *crds)
    names = [f"crd/{one['metadata']['name']}" for one in crds]
    cluster.kubectl("wait", "--for=condition=Established", *names)


def _may(cluster: Cluster, verb: str, resource: str, subresource: str = "") -> bool:
    command = ("auth", "can-i", verb, f"{resource}.argoproj.io", "-n", "default", MANAGER)
    command += (f"--subresource={subresource}",) if subresource else ()
    return cluster.kubectl(*command, check=False).strip() == "yes"


def test_it_deploys_rollouts_and_sees_what_becomes_of_them(cluster: Cluster) -> None:
    """With the addon, and without it not even that."""
    _rollouts_crds(cluster)
    version = "argoproj.io/v1alpha1"
    template = {
        "apiVersion": version,
        "kind": "AnalysisTemplate",
        "metadata": {"name": "success-rate", "namespace": "default"},
        "spec": {"metrics": [{"name": "x", "provider": {"web": {"url": "https://x"}}}]},
    }
    rollout = {
        "apiVersion": version,
        "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"strategy": {"canary": {}}},
    }
    _give(cluster)
    assert not _apply(cluster, rollout, user=MANAGER)
    _give(cluster, addons=["argo_rollouts"])
    for one in (template, rollout):
        assert "serverside-applied" in _apply(cluster, one, user=MANAGER)
    for kind in ("analysisruns", "experiments", "clusteranalysistemplates"):
        assert _may(cluster, "watch", kind)
        assert not _may(cluster, "create", kind)
    # What Argo CD's actions on a Rollout write: resume, abort, promote.
    assert _may(cluster, "patch", "rollouts", "status")
    assert not _may(cluster, "update", "rollouts", "scale")
    assert not _may(cluster, "create", "applications")
    cluster.kubectl("delete", "rollout/shop", "analysistemplate/success-rate", MANAGER)
