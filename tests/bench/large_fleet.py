"""`python -m tests.bench.large_fleet [SPOKES [CHECKOUT]]`: many spokes whose External Secrets Argo CD delivers.

On the running lab (`fleet lab up`; `FLEET_LAB` names its folder) a stack of its own joins the hub with spokes that
exist in name only: Pulumi talks to the hub and to Vault, never to them. The program is this checkout's, or another's.
Prints one JSON object; asserts nothing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from lab import environment
from lab.home import LabHome
from lab.toolchain import Toolbox, ensure
from tests.bench.runs import Program, program, state

STACK, ENVIRONMENT = "bench", "bench"


def main(spokes: int = 50, checkout: str = ".") -> None:
    """`up`, `preview` and `destroy` of a stack with so many spokes, and one spoke more in between."""
    home, toolbox = LabHome.from_environment(), ensure(console=Console(stderr=True))
    os.environ |= environment.variables(home, toolbox)
    with program(STACK, Path(checkout).absolute()) as one:
        os.environ["TMPDIR"] = str(one.folder.parent)
        try:
            result = {"spokes": spokes, **_measure(home, toolbox, one, spokes)}
        finally:
            one.clean_up()
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _measure(home: LabHome, toolbox: Toolbox, one: Program, spokes: int) -> dict[str, Any]:
    public_key = home.pki / "hub" / "sa.pub"
    _write(one, spokes, public_key)
    one.init()
    up = one.pulumi("up", "--yes", "--skip-preview")
    preview = one.pulumi("preview", "--expect-no-changes")
    _write(one, spokes + 1, public_key)
    one_more = one.pulumi("up", "--yes", "--skip-preview")
    megabytes, resources = state(home, STACK)
    return {
        "up": up,
        "no_op_preview": preview,
        "one_spoke_more": one_more,
        "one_more_to_up": round(one_more["seconds"] / up["seconds"], 3),
        "resources": len(resources),
        "resources_per_spoke": sum(
            one["urn"].endswith("bench-000") or "::bench-000-" in one["urn"] for one in resources
        ),
        "state_mb": megabytes,
    }


def _write(one: Program, spokes: int, public_key: Path) -> None:
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
    file = one.stack_file
    known = yaml.safe_load(file.read_text()) if file.exists() else {}
    file.write_text(yaml.safe_dump({**known, "config": config}, sort_keys=False))


if __name__ == "__main__":
    wanted = dict(zip(("spokes", "checkout"), sys.argv[1:], strict=False))
    main(int(wanted.get("spokes", 50)), wanted.get("checkout", "."))
