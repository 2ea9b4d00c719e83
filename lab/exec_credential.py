"""A client-go credential plugin for the lab's clusters, as ``aws`` or ``kubelogin`` are for a cloud's.

It stands in for an identity that lives outside the cluster and is mapped into it with rights: on every cluster the
lab makes a ServiceAccount for that, and the plugin hands out tokens of it that are good for ten minutes. It is run as
``python -m lab.exec_credential <cluster>``, by way of the program that :func:`place` writes.
"""

from __future__ import annotations

import datetime
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import httpx

from lab.context import CHECKOUT
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.kube import KubeApi

NAMESPACE, ACCOUNT = "kube-system", "lab-exec-credential"
SECONDS = 600
"""How long a token is good: the shortest time that Kubernetes gives one for."""


def program(home: LabHome) -> Path:
    """The plugin as Argo CD's processes run it: an absolute path, with the cluster's name as its argument."""
    return home.bin / "fleet-exec-credential"


def place(home: LabHome) -> None:
    """Write the program, for this lab and this checkout."""
    python = " ".join(map(shlex.quote, (sys.executable, "-m", "lab.exec_credential")))
    lines = [
        "#!/bin/sh",
        f"export FLEET_LAB={shlex.quote(str(home.root))} PYTHONPATH={shlex.quote(str(CHECKOUT))}",
        f'exec {python} "$@"',
    ]
    write_private(program(home), "\n".join([*lines, ""]))
    program(home).chmod(0o700)


def access() -> list[tuple[str, dict[str, Any]]]:
    """What a cluster has for the plugin's identity: objects by their paths."""
    rbac = "rbac.authorization.k8s.io"
    binding: dict[str, Any] = {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    }
    account: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
    }
    return [
        (f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}", account),
        (f"/apis/{rbac}/v1/clusterrolebindings/{ACCOUNT}", binding),
    ]


def credential(token: str, now: datetime.datetime, asked: str) -> dict[str, Any]:
    """The ExecCredential with this token. ``asked`` is the request, as the client puts it into KUBERNETES_EXEC_INFO.

    The answer must have the version of the request: a client refuses any other.
    """
    version = json.loads(asked)["apiVersion"] if asked else "client.authentication.k8s.io/v1"
    expires = now + datetime.timedelta(seconds=SECONDS)
    return {
        "apiVersion": version,
        "kind": "ExecCredential",
        "status": {
            "token": token,
            "expirationTimestamp": expires.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }


def main(arguments: list[str]) -> int:
    """Print the credential for the one cluster that is named; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: fleet-exec-credential CLUSTER\n")
        return 2
    home, (cluster,) = LabHome.from_environment(), arguments
    if not (home.pki / cluster).is_dir():  # else it would get certificates of its own
        sys.stderr.write(f"error: the lab in {home.root} has no cluster {cluster}\n")
        return 1
    now = datetime.datetime.now(datetime.UTC)
    try:
        with KubeApi(home, cluster) as api:
            token = api.token(NAMESPACE, ACCOUNT, seconds=SECONDS)
    except (LabError, httpx.HTTPError) as error:
        sys.stderr.write(f"error: no token of {NAMESPACE}/{ACCOUNT} on {cluster}: {error}\n")
        return 1
    asked = os.environ.get("KUBERNETES_EXEC_INFO", "")
    sys.stdout.write(json.dumps(credential(token, now, asked)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
