"""Argo Rollouts: a controller per cluster that has it, with the rights that its manifest gives it there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.clusters import cluster_names
from lab.context import Lab
from lab.home import LabHome
from lab.stand_in import StandIn


def part_names(home: LabHome) -> list[str]:
    """The controllers that the lab should have."""
    names = cluster_names(home)
    return [CONTROLLER.part(name) for name in names if CONTROLLER.was_started(home, name)]


def _command(lab: Lab, part: str) -> tuple[Sequence[str | Path], str]:
    metrics = lab.port(f"{part}-metrics", of=part)
    health = lab.port(part, of=part)
    command: list[str | Path] = [
        lab.toolbox.bin("argo-rollouts"),
        "--leader-elect=false",  # it is alone
        # Both on all addresses of the machine: it knows no other way. Neither says or takes anything of use.
        f"--metricsPort={metrics}",
        f"--healthzPort={health}",
        "--rollout-threads=2",
        "--analysis-threads=2",
        "--experiment-threads=1",
        "--service-threads=1",
        "--ingress-threads=1",
    ]
    return command, f"http://127.0.0.1:{health}/healthz"


CONTROLLER = StandIn("argo-rollouts", _command)
