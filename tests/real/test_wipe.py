"""A spoke's workloads can be wiped although External Secrets, which held them, has left: docs/remove-a-cluster.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

from rich.console import Console

from lab.context import CHECKOUT
from lab.toolchain import ensure
from tests.e2e.fleet_lab import wait_until
from tests.real.conftest import Cluster

CLEANUP = "externalsecrets.external-secrets.io/{}-cleanup"
HELD = {
    "wipe-held": CLEANUP.format("externalsecret"),
    "wipe-pushed": "pushsecret.externalsecrets.io/finalizer",
}
MARKED = "wipe-marked"


def _documented() -> str:
    page = (CHECKOUT / "docs/remove-a-cluster.md").read_text()
    (script,) = re.findall(r"```sh\nspoke=<spoke>\n(.*?)```", page, re.DOTALL)
    return f"spoke=hub\n{script}"


def test_no_namespace_hangs(cluster: Cluster) -> None:
    crds = ensure(("external-secrets",), console=Console(stderr=True)).share("external-secrets")
    cluster.kubectl("apply", "--server-side", "-f", str(crds / "crds.yaml"))
    cluster.kubectl("wait", "--for=condition=Established", "crd/externalsecrets.external-secrets.io",
                    "crd/pushsecrets.external-secrets.io")  # fmt: skip
    for name in (*HELD, MARKED):
        cluster.kubectl("create", "namespace", name)
    store = {"name": "vault-backend", "kind": "ClusterSecretStore"}
    _held(
        cluster,
        "ExternalSecret",
        "v1",
        "wipe-held",
        {"secretStoreRef": store, "dataFrom": [{"extract": {"key": "a"}}]},
    )
    pushed = {"secretStoreRefs": [store], "selector": {"secret": {"name": "a"}}}
    _held(cluster, "PushSecret", "v1alpha1", "wipe-pushed", pushed)
    marked = {"metadata": {"finalizers": [f"{CLEANUP.format('clusterexternalsecret')}-all"]}}
    cluster.kubectl("patch", "namespace", MARKED, "--type=merge", "-p", json.dumps(marked))
    cluster.kubectl("delete", "namespace", "--wait=false", *HELD, MARKED)
    for name in HELD:
        wait_until(
            f"{name} hangs", lambda name=name: "finalizers" in _told(cluster, name), timeout=60
        )  # type: ignore[misc]

    for _ in range(2):
        tools = cluster.lab.toolbox.path_env()
        done = subprocess.run(
            ["sh", "-eu", "-c", _documented()],
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "KUBECONFIG": str(cluster.lab.home.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    for name in (*HELD, MARKED):
        wait_until(
            f"{name} is gone",
            lambda name=name: not cluster.kubectl("get", "namespace", name, check=False),  # type: ignore[misc]
            timeout=60,
        )
    cluster.kubectl("delete", "-f", str(crds / "crds.yaml"), "--wait=false")


def _held(cluster: Cluster, kind: str, version: str, namespace: str, spec: dict[str, Any]) -> None:
    one = {
        "apiVersion": f"external-secrets.io/{version}",
        "kind": kind,
        "metadata": {"name": "held", "namespace": namespace, "finalizers": [HELD[namespace]]},
        "spec": spec,
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(one))


def _told(cluster: Cluster, namespace: str) -> str:
    """What the namespace says of what it still has in it."""
    status = cluster.get("namespace", namespace)["status"]
    return " ".join(
        one["message"] for one in status.get("conditions", ()) if one["status"] == "True"
    )
