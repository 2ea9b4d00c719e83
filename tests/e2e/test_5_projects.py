"""What whoever may only commit to the gitops-config repo can't do: reach a cluster's system by way of a service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import all_fine
from tests.e2e.fleet_lab import SPOKES, FleetLab, is_fine, wait_until

PRODUCTION = [name for name, environment in SPOKES.items() if environment == "production"]
MARK = "fleet-test-intruder"
TAKEN = ("kube-system", "kube-flannel", "external-secrets", "argocd", "platform")
"""Directories under apps/ that would deploy into the system, or be another set's Application."""
ROGUE = "rogue"
APART = "apart"


def _config_map(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": MARK, "namespace": namespace},
    }


INTRUDERS: list[dict[str, Any]] = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": MARK},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "fleet-read-only",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": ROGUE}],
    },
    _config_map("kube-system"),
    _config_map("external-secrets"),
    _config_map("platform"),
    _config_map("auth-service"),  # Harmless, and stopped with the rest.
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "external-secrets", "labels": {MARK: ""}},
    },
]


@pytest.fixture
def commit(lab: FleetLab) -> Iterator[None]:
    """A commit with hostile services; reverted at the end, and what Argo CD made of it taken away."""
    apps = lab.home / "gitops-config" / "apps"
    lab.git("pull", "--quiet", "--rebase")
    for name in TAKEN:
        _service(
            apps / name, [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MARK}}]
        )
    _service(apps / ROGUE, INTRUDERS)
    _service(apps / APART, [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MARK}}])
    lab.git("add", "apps")
    lab.git("commit", "--quiet", "-m", "Some new services")
    lab.git("push", "--quiet")
    yield
    lab.git("revert", "--no-edit", "HEAD")
    lab.git("push", "--quiet")
    made = [f"{spoke}-{name}" for spoke in PRODUCTION for name in (*TAKEN, ROGUE, APART)]
    ours = [name for name in made if not name.endswith("-platform")]
    wait_until("the revert is seen", lambda: not _from_git(lab), timeout=120)
    lab.kubectl("hub", "-n", "argocd", "delete", "applications", "--ignore-not-found", *ours)
    all_fine(lab, 12)


def _service(folder: Path, objects: list[dict[str, Any]]) -> None:
    overlay = folder / "overlays" / "production"
    overlay.mkdir(parents=True)
    (overlay / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["objects.yaml"]}))


def _from_git(lab: FleetLab) -> bool:
    """Whether Argo CD still takes a commit with the rogue for the newest."""
    head = lab.git("rev-parse", "HEAD").strip()
    synced = lab.applications()[f"{PRODUCTION[0]}-auth-service"]["status"]["sync"]
    return bool(synced.get("revision") != head)


def test_a_commit_reaches_no_system_namespace(lab: FleetLab, commit: None) -> None:
    _linted(lab)
    before = {f"{spoke}-{what}" for spoke in SPOKES for what in ("platform", "auth-service")}
    for spoke in PRODUCTION:
        said = _tried(lab, f"{spoke}-{ROGUE}")
        assert "ClusterRoleBinding is not permitted in project services" in said, said
        assert "namespace kube-system is not permitted in project 'services'" in said, said
        assert "namespace external-secrets is not permitted in project 'services'" in said, said
        assert "namespace platform is not permitted in project 'services'" in said, said
        assert ":Namespace is not permitted in project services" in said, said
        said = _tried(lab, f"{spoke}-{APART}")
        assert ":Namespace is not permitted in project services" in said, "it is the platform's"

    made = lab.applications()
    for spoke in PRODUCTION:
        called = {name for name in TAKEN if f"{spoke}-{name}" in made}
        assert called == {"platform"}, "no service is called as a system namespace"
        source = made[f"{spoke}-platform"]["spec"]["source"]
        assert source["path"] == f"clusters/{spoke}/platform"
        for kind in ("configmap", "clusterrolebinding"):
            found = [one["metadata"] for one in lab.get(spoke, kind, "-A")["items"]]
            assert not [one for one in found if one["name"] == MARK]
        assert MARK not in lab.get(spoke, "namespace", "external-secrets")["metadata"]["labels"]
        for name in (ROGUE, APART):
            assert lab.get(spoke, "namespace", name) is None
    wait_until(
        "what was there before is Synced and Healthy",
        lambda: all(is_fine(one) for name, one in lab.applications().items() if name in before),
    )

    lab.kubectl(PRODUCTION[0], "create", "namespace", APART)
    apart = f"{PRODUCTION[0]}-{APART}"
    try:
        wait_until(
            "with its namespace there, the honest one is Synced",
            lambda: is_fine(lab.applications()[apart]),
            timeout=180,
        )
        assert lab.get(PRODUCTION[0], "configmap", "-n", APART, MARK)
    finally:
        lab.kubectl("hub", "-n", "argocd", "delete", "application", apart)
        lab.kubectl(PRODUCTION[0], "delete", "namespace", APART)


def _linted(lab: FleetLab) -> None:
    """What Argo CD will say, `fleet lint` says of the same commit."""
    told = lab.run("fleet", "lint", str(lab.home / "gitops-config"), "--stack", "lab", check=False)
    assert told.code == 1
    place = f"apps/{ROGUE}/overlays/production/objects.yaml"
    for said in (
        'AppProject "services" lets in no ClusterRoleBinding',
        *(
            f'AppProject "services" keeps the namespace "{one}" shut'
            for one in ("kube-system", "external-secrets", "platform")
        ),
        'AppProject "services" lets in no Namespace',
    ):
        (line,) = [one for one in told.output.splitlines() if said in one]
        assert line.startswith(f"{place}:")
        assert "(on prod-us-east-1, prod-eu-west-1)" in line
    left_out = [one for one in told.output.splitlines() if "is left out by its name" in one]
    assert [one.split(":")[0] for one in left_out] == [f"apps/{name}" for name in sorted(TAKEN)]


def _tried(lab: FleetLab, application: str) -> str:
    """What Argo CD says of each object, once it has tried to sync them."""
    said: list[str] = []

    def tried() -> bool:
        status = lab.applications().get(application, {}).get("status", {})
        result = status.get("operationState", {}).get("syncResult", {})
        said[:] = [one.get("message", "") for one in result.get("resources") or ()]
        return bool(said)

    wait_until(f"Argo CD has tried {application}", tried, timeout=120)
    return "\n".join(said)
