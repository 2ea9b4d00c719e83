"""`python -m tests.bench.loading`: how long a stack file of 500 spokes takes to load and validate. Asserts nothing.

Prints one JSON object: seconds (the best of a few runs) for 500 spokes and for 50, and their ratio, which is 10 where
the work grows with the spokes and no faster.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import yaml

from stacks.loading.kubeconfig import Kubeconfig
from stacks.loading.load import load_file, stack_file

RUNS = 5
ENVIRONMENTS = ("production", "staging", "dev")
REPO = "https://git.example.com/platform/gitops-config.git"


def main() -> None:
    """Load a large and a small fleet from their files, kubeconfigs among them."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        large, small = (seconds(Path(folder), spokes) for spokes in (500, 50))
    result = {
        "spokes_500_s": round(large, 3),
        "spokes_50_s": round(small, 3),
        "ratio": round(large / small, 1),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def seconds(root: Path, spokes: int) -> float:
    """Seconds that loading a fleet of so many spokes takes, each with a context in a kubeconfig of its own."""
    stack = f"of-{spokes}"
    (root / "stacks").mkdir(exist_ok=True)
    stack_file(stack, root).write_text(yaml.safe_dump({"config": _config(spokes)}))
    kubeconfig = root / f"kubeconfig-{spokes}"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(spokes)))
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        found = Kubeconfig.read({"KUBECONFIG": str(kubeconfig)})
        fleet = load_file(stack, root, found)
        times.append(time.perf_counter() - began)
        if len(fleet.spokes) != spokes:
            raise RuntimeError(f"{len(fleet.spokes)} spokes, not {spokes}")
    return min(times)


def _config(spokes: int) -> dict[str, object]:
    """A fleet with what large ones use: Argo CD's delivery, two stores, labels, and a set per environment and kind."""
    layouts: list[dict[str, object]] = [
        {"layout": "platform"},
        {"layout": "services"},
        {"layout": "directory", "path": "addons/{{.metadata.annotations.aws_account_id}}"},
    ]
    sets = [
        {"name": f"{one['layout']}-{environment}", **one, "selector": {"environment": environment}}
        for environment in ENVIRONMENTS
        for one in layouts
    ]
    return {
        "fleet:hub": {"context": "hub"},
        "fleet:argocd": {"manifest": "install.yaml", "controllerReplicas": 5},
        "fleet:gitops": {"repo": REPO},
        "fleet:vault": {"address": "https://vault.example.com:8200"},
        "fleet:externalSecrets": {
            "chart": "oci://charts.example.com/external-secrets",
            "version": "0.19.2",
            "delivery": "argocd",
        },
        "fleet:secretStores": [{}, {"name": "platform", "readPaths": ["{environment}/platform/*"]}],
        "fleet:spokes": [
            {
                "name": f"cluster-{index}",
                "environment": ENVIRONMENTS[index % 3],
                "region": f"region-{index % 20}",
                "shard": index % 5,
                "auth": {"kind": "eks", "clusterName": f"eks-{index}"}
                if index % 2
                else {"kind": "token"},
                "labels": {"team": f"team-{index % 30}"},
                "annotations": {"aws_account_id": f"{index:012}"},
            }
            for index in range(spokes)
        ],
        "fleet:applicationSets": sets,
    }


def _kubeconfig(spokes: int) -> dict[str, object]:
    names = ["hub", *(f"cluster-{index}" for index in range(spokes))]
    ca = "Q0E=" * 400
    return {
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": f"https://{name}.example.com:6443",
                    "certificate-authority-data": ca,
                },
            }
            for name in names
        ],
        "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in names],
    }


if __name__ == "__main__":
    main()
