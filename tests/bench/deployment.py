"""`python -m tests.bench.deployment [OTHER_CHECKOUT]`: `pulumi up` of the lab's stack, beside another checkout's.

On a lab of its own, of which only the parts run: each round deploys the stack `lab` by this checkout's program and
takes it away again, CRDs and all, then by the other's; so both are measured in one run on one machine. Prints one
JSON object, with the ratios of the medians; asserts nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from lab import environment, up
from lab.home import LabHome
from lab.report import Reporter
from lab.toolchain import Toolbox, ensure
from tests.bench.runs import REPO, program, state

STACK, ROUNDS = "lab", 2
CLUSTERS = ("hub", "prod-us-east-1", "prod-eu-west-1", "staging")
SPOKES = CLUSTERS[1:]


def main(other: Path | None) -> None:
    """Measure this checkout, and the other in turn."""
    root = Path(tempfile.mkdtemp(prefix="fleet-bench-"))
    os.environ |= {"FLEET_LAB": str(root), "FLEET_LAB_TTL": "2h"}
    home, toolbox = LabHome(root), ensure(console=Console(stderr=True))
    checkouts = {"this": REPO, **({"other": other} if other else {})}
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in checkouts}
    try:
        up.boot(home, toolbox, Reporter())
        os.environ |= environment.variables(home, toolbox)
        for _ in range(ROUNDS):
            for name, checkout in checkouts.items():
                rounds[name].append(_measure(home, toolbox, checkout))
    finally:
        subprocess.run(["fleet", "lab", "down", "--wipe", "--yes"], stdout=sys.stderr, check=False)
    sys.stdout.write(json.dumps({**rounds, **_ratios(rounds)}, indent=2) + "\n")


def _measure(home: LabHome, toolbox: Toolbox, checkout: Path) -> dict[str, Any]:
    with program(STACK, checkout) as one:
        os.environ["TMPDIR"] = str(one.folder.parent)
        one.init()
        try:
            made = one.pulumi("up", "--yes", "--skip-preview")
            previews = [one.pulumi("preview", "--expect-no-changes") for _ in range(3)]
            megabytes, resources = state(home, STACK)
        finally:
            one.clean_up()
            for cluster in CLUSTERS:
                # Both leave them, and the next is to begin from nothing.
                _kubectl(cluster, "delete", "crd", "--all", "--wait=true")
        return {
            "up_s": made["seconds"],
            "no_op_preview_s": statistics.median(one["seconds"] for one in previews),
            "pss_mib": made["pss_mib"],
            "resources": len(resources),
            "state_mb": megabytes,
            "state_mb_per_spoke": round(_of_spokes(resources) / len(SPOKES) / 1e6, 3),
        }


def _of_spokes(resources: list[dict[str, Any]]) -> int:
    """Bytes of the state that are about a spoke."""
    return sum(
        len(json.dumps(one))
        for one in resources
        if any(f"::{spoke}" in one["urn"] for spoke in SPOKES)
    )


def _ratios(rounds: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    if "other" not in rounds:
        return {}

    def median(name: str, key: str) -> float:
        return float(statistics.median(one[key] for one in rounds[name]))

    return {
        "this_to_other": {
            key: round(median("this", key) / median("other", key), 3) for key in rounds["this"][0]
        }
    }


def _kubectl(cluster: str, *words: str) -> None:
    subprocess.run(["kubectl", "--context", cluster, *words], stdout=sys.stderr, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None)
