"""Bringing the lab up, from nothing to a fleet whose controllers run; and how it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab import (
    argocd,
    clusters,
    control_plane,
    deployment,
    environment,
    external_secrets,
    forge,
    janitor,
    pulumi_plugins,
    vault,
)
from lab.context import CHECKOUT, Lab
from lab.errors import LabError
from lab.home import LabHome
from lab.lock import locked
from lab.processes import Part, PartState, Processes
from lab.report import Reporter
from lab.shutdown import down
from lab.toolchain import Toolbox

__all__ = ["Outcome", "boot", "deploy", "down", "parts", "run_controllers", "status", "up"]


@dataclass(frozen=True)
class Outcome:
    """What a run of :func:`up` did."""

    timings: dict[str, float]
    """Seconds per phase."""
    plugins: list[tuple[str, str, str]]
    """Pulumi plugins: name, version, ``official`` or ``lab``."""
    deployment: deployment.Run
    problems: list[str] = field(default_factory=list)
    """What did not work, in words; empty where all did."""

    @property
    def ok(self) -> bool:
        """Whether everything worked."""
        return not self.problems


def up(home: LabHome, toolbox: Toolbox, reporter: Reporter, *, owner: int | None = None) -> Outcome:
    """Boot the lab's parts, run ``pulumi up``, start the controllers.

    What runs is left alone, what died is restarted. With ``owner``, the lab ends when that
    process does. Raises :class:`LabError` where the parts can't be started; a failed deployment
    is told in the outcome.
    """
    boot(home, toolbox, reporter, owner=owner)
    run, problems = deploy(home, toolbox, reporter)
    try:
        run_controllers(home, toolbox, reporter)
    except LabError as error:
        problems.append(str(error))
    return Outcome(dict(reporter.timings), environment.plugins(home), run, problems)


def boot(home: LabHome, toolbox: Toolbox, reporter: Reporter, *, owner: int | None = None) -> None:
    """Start clusters, OpenBao and the forge at once, and choose the Pulumi plugins."""
    lab = Lab(home.create(), toolbox, reporter)
    with locked(home):
        _start_janitor(lab, owner)
        hooks = argocd.webhooks(lab)
        _together(
            reporter,
            {
                "clusters": lambda: clusters.boot(lab),
                "OpenBao": lambda: vault.boot(lab),
                "git forge": lambda: forge.boot(lab, hooks=hooks),
                "Pulumi plugins": lambda: _choose_plugins(lab),
            },
        )


def deploy(home: LabHome, toolbox: Toolbox, reporter: Reporter) -> tuple[deployment.Run, list[str]]:
    """Run ``pulumi up``; returns how it ended and what went wrong."""
    with reporter.phase("pulumi up", spinner=False):
        run = deployment.up(home, toolbox)
    failed = f"'pulumi up' failed with exit code {run.exit_code}; its output above says why"
    return run, [failed] if run.exit_code else []


def run_controllers(home: LabHome, toolbox: Toolbox, reporter: Reporter) -> None:
    """Start Argo CD's controllers and External Secrets, by what ``pulumi up`` made for them."""
    lab = Lab(home, toolbox, reporter)
    with locked(home):
        _together(
            reporter,
            {
                "Argo CD": lambda: argocd.boot(lab),
                "External Secrets": lambda: _boot_external_secrets(lab),
            },
        )


def parts(home: LabHome) -> list[str]:
    """The names of all parts that the lab should have."""
    names = clusters.cluster_names(home)
    spokes = [name for name in names if name != clusters.HUB]
    return [
        janitor.PART,
        control_plane.ETCD,
        *(part for name in names for part in control_plane.parts_of(name)),
        vault.PART,
        forge.PART,
        *argocd.PARTS,
        *(external_secrets.part_name(spoke) for spoke in spokes),
    ]


def status(home: LabHome) -> list[PartState]:
    """How each part of the lab is."""
    processes = Processes(home)
    return [processes.state(name) for name in parts(home)]


def _together(reporter: Reporter, phases: dict[str, Callable[[], object]]) -> None:
    """Run phases at the same time; raises the first failure once all have ended."""

    def one(name: str, work: Callable[[], object]) -> None:
        with reporter.phase(name):
            work()

    with ThreadPoolExecutor(max_workers=len(phases)) as pool:
        running = [pool.submit(one, name, work) for name, work in phases.items()]
    errors = [error for future in running if (error := future.exception())]
    for error in errors[1:]:
        reporter.note(str(error))
    if errors:
        raise errors[0]


def _boot_external_secrets(lab: Lab) -> None:
    started: Sequence[str] = external_secrets.boot(lab)
    spokes = [name for name in clusters.cluster_names(lab.home) if name != clusters.HUB]
    if missing := [spoke for spoke in spokes if spoke not in started]:
        lab.reporter.note(
            f"no External Secrets on {', '.join(missing)}: no stack has made it a spoke yet"
        )


def _choose_plugins(lab: Lab) -> None:
    for plugin in pulumi_plugins.choose(lab.home, lab.toolbox):
        whose = "the official one" if plugin.origin == "official" else "the lab's own"
        lab.reporter.note(f"Pulumi plugin {plugin.name} {plugin.version}: {whose}")


def _start_janitor(lab: Lab, owner: int | None) -> None:
    lifetime = os.environ.get("FLEET_LAB_TTL", janitor.DEFAULT_LIFETIME)
    orders = janitor.Orders.make(lifetime, owner)
    orders.write(janitor.orders_file(lab.home.root))
    command: list[str | Path] = [sys.executable, "-m", "lab.janitor", lab.home.root]
    env = {**lab.base_env(), "PYTHONPATH": str(CHECKOUT)}
    lab.start(Part(name=janitor.PART, command=command, env=env, cwd=CHECKOUT))
