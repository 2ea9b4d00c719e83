"""`python -m tests.bench.linting`: how long `fleet lint` takes for 200 services, 3 environments and 50 spokes.

Prints one JSON object: seconds the first time, with nothing changed, and with one service changed; and the ratio of
the first to the last. Each is a process of its own, as CI runs it, with the lab's kustomize. Asserts nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from lab.toolchain import ensure

SERVICES, SPOKES = 200, 50
ENVIRONMENTS = ("production", "staging", "dev")


def main() -> None:
    """Write a repo and its stack file, and lint it three times."""
    toolbox = ensure(["kustomize"], console=Console(stderr=True))
    path = f"{Path(toolbox.bin('kustomize')).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        root = Path(folder)
        environ = {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(root / "cache")}
        write(root / "stacks" / "Pulumi.all.yaml", {"config": config()})
        repo(root / "repo")
        first, again = (_seconds(root, environ) for _ in range(2))
        tag = [{"name": "registry.example.com/service-7", "newTag": "v2"}]
        _overlay(root / "repo", 7, "production", tag)
        changed = _seconds(root, environ)
    result = {
        "first_s": round(first, 2),
        "unchanged_s": round(again, 2),
        "one_changed_s": round(changed, 2),
        "first_to_one_changed": round(first / changed, 1),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _seconds(root: Path, environ: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "fleet", "lint", "repo", "--json"],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode or json.loads(done.stdout)["findings"]:
        raise RuntimeError(f"{done.stdout[:2000]}{done.stderr[:2000]}")
    return took


def config() -> dict[str, Any]:
    spokes = [
        {
            "name": f"spoke-{index}",
            "environment": ENVIRONMENTS[index % 3],
            "region": "eu",
            "server": f"https://spoke-{index}.example.com",
        }
        for index in range(SPOKES)
    ]
    return {
        "fleet:hub": {"context": "hub"},
        "fleet:argocd": {"manifest": "https://argocd.example.com/install.yaml"},
        "fleet:gitops": {"repo": "https://git.example.com/gitops-config.git"},
        "fleet:vault": {"address": "https://vault.example.com"},
        "fleet:externalSecrets": {"chart": "oci://charts.example.com/eso", "version": "0.19.2"},
        "fleet:spokes": spokes,
        "fleet:applicationSets": [
            {"name": "platform", "layout": "platform"},
            {"name": "services", "layout": "services"},
        ],
    }


def repo(root: Path) -> None:
    names = [f"service-{index}" for index in range(SERVICES)]
    objects = []
    for name in names:
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        objects.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": "default-deny", "namespace": name},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
            }
        )
    write(root / "base" / "namespaces" / "all.yaml", *objects)
    write(root / "base" / "namespaces" / "kustomization.yaml", {"resources": ["all.yaml"]})
    for index in range(SPOKES):
        platform = root / "clusters" / f"spoke-{index}" / "platform"
        write(platform / "kustomization.yaml", {"resources": ["../../../base/namespaces"]})
    for index, name in enumerate(names):
        base = root / "apps" / name / "base"
        write(base / "deployment.yaml", _deployment(name))
        ports = {"selector": {"app": name}, "ports": [{"port": 80}]}
        head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}
        write(base / "service.yaml", {**head, "spec": ports})
        write(base / "kustomization.yaml", {"resources": ["deployment.yaml", "service.yaml"]})
        for environment in ENVIRONMENTS:
            _overlay(
                root, index, environment, [{"name": f"registry.example.com/{name}", "newTag": "v1"}]
            )


def _overlay(root: Path, index: int, environment: str, images: list[dict[str, str]]) -> None:
    name = f"service-{index}"
    folder = root / "apps" / name / "overlays" / environment
    write(
        folder / "kustomization.yaml",
        {"namespace": name, "resources": ["../../base"], "images": images},
    )


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    containers = [{"name": name, "image": f"registry.example.com/{name}"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def write(path: Path, *documents: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents))


if __name__ == "__main__":
    main()
