"""`python -m tests.bench.large_fleet`: what `pulumi up` of many spokes needs when Argo CD delivers External Secrets.

On the running lab (`fleet lab up`; `FLEET_LAB` names its folder) a stack of its own joins the hub with spokes that
exist in name only: Pulumi talks to the hub and to Vault, never to them. Prints one JSON object; asserts nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import yaml
from rich.console import Console

from lab import deployment, environment
from lab.home import LabHome
from lab.toolchain import Toolbox, ensure

REPO = Path(__file__).parents[2]
STACK, ENVIRONMENT = "bench", "bench"
PROGRAM = ["Pulumi.yaml", "__main__.py", "stacks", "components", "live", "requirements.txt"]


def main(spokes: int) -> None:
    """`up`, `preview` and `destroy` of a stack with so many spokes, and one spoke more in between."""
    home, toolbox = LabHome.from_environment(), ensure(console=Console(stderr=True))
    os.environ |= environment.variables(home, toolbox)
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        os.environ["TMPDIR"] = folder  # Pulumi's Kubernetes plugin leaves kubeconfigs in it
        project = _project(Path(folder))
        public_key = home.pki / "hub" / "sa.pub"
        try:
            result = {"spokes": spokes, **_measure(home, toolbox, project, spokes, public_key)}
        finally:
            _pulumi(project, "destroy", "--yes", "--skip-preview")
            _pulumi(project, "stack", "rm", "--yes", "--preserve-config")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _measure(
    home: LabHome, toolbox: Toolbox, project: Path, spokes: int, public_key: Path
) -> dict[str, Any]:
    _write(project, spokes, public_key)
    deployment.ensure_stack(home, toolbox, program=project, stack=STACK)
    up = _pulumi(project, "up", "--yes", "--skip-preview")
    preview = _pulumi(project, "preview", "--expect-no-changes")
    _write(project, spokes + 1, public_key)
    one_more = _pulumi(project, "up", "--yes", "--skip-preview")
    state = home.pulumi_state / ".pulumi" / "stacks" / "fleet" / f"{STACK}.json"
    resources = json.loads(state.read_text())["checkpoint"]["latest"]["resources"]
    return {
        "up": up,
        "no_op_preview": preview,
        "one_spoke_more": one_more,
        "one_more_to_up": round(one_more["seconds"] / up["seconds"], 3),
        "resources": len(resources),
        "resources_per_spoke": sum(one["urn"].endswith("bench-000") or "::bench-000-" in one["urn"]
                                   for one in resources),
        "state_mib": round(state.stat().st_size / 2**20, 2),
    }  # fmt: skip


def _project(folder: Path) -> Path:
    for name in PROGRAM:
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def _write(project: Path, spokes: int, public_key: Path) -> None:
    blocks = [
        {
            "name": f"bench-{index:03}",
            "environment": ENVIRONMENT,
            "region": "nowhere-1",
            "server": f"https://bench-{index:03}.invalid",
            "auth": {"kind": "gke"},
            "jwtPublicKeys": [str(public_key)],
        }
        for index in range(spokes)
    ]
    config = {
        "pulumi:disable-default-providers": ["kubernetes", "vault"],
        "fleet:environments": [ENVIRONMENT],
        "fleet:hub": {"context": "hub"},
        "fleet:gitops": {"repo": "${FLEET_GITOPS_REPO}"},
        "fleet:vault": {
            "address": "${VAULT_ADDR}",
            "caFile": "${VAULT_CACERT}",
            "namespace": "dev",
            "readPaths": ["*"],
        },
        "fleet:externalSecrets": {
            "chart": "external-secrets",
            "repo": "${FLEET_CHART_REPO}",
            "version": "${FLEET_EXTERNAL_SECRETS_VERSION}",
            "delivery": "argocd",
        },
        "fleet:spokes": blocks,
    }
    file = project / "stacks" / f"Pulumi.{STACK}.yaml"
    known = yaml.safe_load(file.read_text()) if file.exists() else {}
    file.write_text(yaml.safe_dump({**known, "config": config}, sort_keys=False))


def _pulumi(project: Path, *arguments: str) -> dict[str, Any]:
    """Run a command of the stack and watch its process tree: seconds, processes and memory at their highest."""
    started = time.monotonic()
    process = subprocess.Popen(
        ["pulumi", *arguments, "--stack", STACK, "--non-interactive"],
        cwd=project,
        stdout=sys.stderr,
    )
    seen = {"processes": 0, "plugins": 0, "pss_mib": 0}
    watcher = threading.Thread(target=_watch, args=(process, seen))
    watcher.start()
    code = process.wait()
    watcher.join()
    if code:
        raise SystemExit(f"pulumi {arguments[0]} ended with {code}")
    return {"seconds": round(time.monotonic() - started, 1), **seen}


def _watch(process: subprocess.Popen[bytes], seen: dict[str, int]) -> None:
    tree = psutil.Process(process.pid)
    while process.poll() is None:
        memory = processes = plugins = 0
        try:
            members = [tree, *tree.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in members:
            try:
                memory += one.memory_full_info().pss
                plugins += any("pulumi-resource-" in word for word in one.cmdline()[:2])
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            processes += 1
        seen["processes"] = max(seen["processes"], processes)
        seen["plugins"] = max(seen["plugins"], plugins)
        seen["pss_mib"] = max(seen["pss_mib"], memory // 2**20)
        time.sleep(0.3)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
