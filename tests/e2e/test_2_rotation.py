"""The token that Argo CD has on a spoke is renewed as docs/rotate.md says."""

from __future__ import annotations

import json
import ssl
from typing import Any

import httpx

from tests.e2e.conftest import all_fine
from tests.e2e.fleet_lab import FleetLab, wait_until

SPOKE = "staging"
ELSEWHERE = "argocd-access"


def test_a_new_token_for_argocd(lab: FleetLab) -> None:
    old = lab.secret(SPOKE, "kube-system", "argocd-manager-token")
    identity = lab.get("hub", "secret", "-n", "argocd", f"cluster-{SPOKE}")["metadata"]["uid"]
    assert _status(lab, old) == 200

    lab.kubectl(SPOKE, "-n", "kube-system", "delete", "serviceaccount", "argocd-manager")
    wait_until("the old token is refused", lambda: _status(lab, old) == 401, timeout=30)
    seen = lab.run("fleet", "status", "--json", "--stack", "lab", check=False)
    assert seen.code == 1, seen.output
    spokes = {one["name"]: one for one in json.loads(seen.output)["spokes"]}
    assert " 401 " in spokes[SPOKE]["argocd"]["error"], "while all else is still Synced and Healthy"
    assert [name for name, one in spokes.items() if one["argocd"]["error"]] == [SPOKE]
    assert all(one["argocd"]["tried"] for one in spokes.values())
    refresh = [
        "pulumi",
        "refresh",
        "--stack",
        "lab",
        "--yes",
        "--skip-preview",
        "--non-interactive",
    ]
    lab.end_credential(SPOKE)
    refused = lab.run(*refresh, check=False)
    assert refused.code != 0, "the credential in the state has ended"
    lab.run(*refresh, "--run-program")
    lab.up()

    new = lab.secret(SPOKE, "kube-system", "argocd-manager-token")
    assert new["token"] != old["token"]
    cluster_secret = lab.get("hub", "secret", "-n", "argocd", f"cluster-{SPOKE}")
    assert cluster_secret["metadata"]["uid"] == identity, "Argo CD never lost sight of the spoke"
    assert new["token"] in lab.secret("hub", "argocd", f"cluster-{SPOKE}")["config"]
    lab.kubectl(
        "hub", "-n", "argocd", "annotate", "--overwrite", "applications", "-l",
        f"cluster_name={SPOKE}", "argocd.argoproj.io/refresh=hard",
    )  # fmt: skip
    all_fine(lab, 12)
    lab.run("fleet", "status", "--wait", "--stack", "lab", "--timeout", "60")
    lab.nothing_to_change()


def test_the_account_moves_to_another_namespace(lab: FleetLab) -> None:
    """Where kube-system is barred; and back."""
    identity = lab.get("hub", "secret", "-n", "argocd", f"cluster-{SPOKE}")["metadata"]["uid"]

    def elsewhere(config: dict[str, Any]) -> None:
        block = next(one for one in config["fleet:spokes"] if one["name"] == SPOKE)
        block["rbac"] = {"accountNamespace": ELSEWHERE}

    lab.kubectl(SPOKE, "create", "namespace", ELSEWHERE)
    lab.edit(elsewhere)
    lab.up()
    new = lab.secret(SPOKE, ELSEWHERE, "argocd-manager-token")
    assert new["token"] in lab.secret("hub", "argocd", f"cluster-{SPOKE}")["config"]
    assert _status(lab, new) == 200
    assert lab.get(SPOKE, "serviceaccount", "-n", "kube-system", "argocd-manager") is None
    lab.kubectl(
        "hub", "-n", "argocd", "annotate", "--overwrite", "applications", "-l",
        f"cluster_name={SPOKE}", "argocd.argoproj.io/refresh=hard",
    )  # fmt: skip
    all_fine(lab, 12)
    lab.restore_stack_file()
    lab.up()
    lab.kubectl(SPOKE, "delete", "namespace", ELSEWHERE)
    cluster_secret = lab.get("hub", "secret", "-n", "argocd", f"cluster-{SPOKE}")
    assert cluster_secret["metadata"]["uid"] == identity, "Argo CD never lost sight of the spoke"
    lab.nothing_to_change()


def _status(lab: FleetLab, token: dict[str, str]) -> int:
    """What the spoke's API server answers to a holder of the token."""
    config = lab.run(
        "kubectl", "--context", SPOKE, "config", "view", "--minify", "-o",
        "jsonpath={.clusters[0].cluster.server}",
    )  # fmt: skip
    return httpx.get(
        f"{config.output}/api/v1/namespaces",
        headers={"Authorization": f"Bearer {token['token']}"},
        verify=ssl.create_default_context(cadata=token["ca.crt"]),
    ).status_code
