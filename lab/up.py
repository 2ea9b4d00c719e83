"""Bringing the lab up, from nothing to a fleet whose controllers run; and how it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab import (
    argo_rollouts,
    argocd,
    chart_repo,
    clusters,
    control_plane,
    deployment,
    environment,
    external_secrets,
    forge,
    gitops_repo,
    janitor,
    private_tmp,
    prometheus,
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
from lab.topology import HUB, settle, topology_of

__all__ = ["Outcome", "boot", "deploy", "down", "parts", "run_controllers", "status", "up"]

_WHOSE = {
    "official": "the official one",
    "built": "the official one, built here",
    "lab": "the lab's own",
}


@dataclass(frozen=True)
class Outcome:
    """What a run of :func:`up` did."""

    timings: dict[str, float]
    """Seconds per phase."""
    plugins: list[tuple[str, str, str]]
    """Pulumi plugins: name, version, ``official``, ``built`` or ``lab``."""
    problems: list[str] = field(default_factory=list)
    """What did not work, in words; empty where all did."""

    @property
    def ok(self) -> bool:
        """Whether everything worked."""
        return not self.problems


def up(
    home: LabHome,
    toolbox: Toolbox,
    reporter: Reporter,
    *,
    topology: str | None = None,
    owner: int | None = None,
    deploys: bool = True,
) -> Outcome:
    """Boot the lab's parts, run ``pulumi up`` for each stack of its topology, start the controllers.

    What runs is left alone, what died is restarted. ``topology`` is for a new lab; one that was started before keeps
    its own. With ``owner``, the lab ends when that process does. Unless it ``deploys``, the controllers are those of
    whatever other stack has been deployed, if any. Raises :class:`LabError` where the parts can't be started; a failed
    deployment is told in the outcome.
    """
    boot(home, toolbox, reporter, topology=topology, owner=owner)
    problems = deploy(home, toolbox, reporter) if deploys else []
    if not deploys and not argocd.is_installed(home):
        reporter.note("no Argo CD on the hub yet: run this again after your own `pulumi up`")
        return Outcome(dict(reporter.timings), environment.plugins(home), problems)
    try:
        run_controllers(home, toolbox, reporter)
    except LabError as error:
        problems.append(str(error))
    return Outcome(dict(reporter.timings), environment.plugins(home), problems)


def boot(
    home: LabHome,
    toolbox: Toolbox,
    reporter: Reporter,
    *,
    topology: str | None = None,
    owner: int | None = None,
) -> None:
    """Start clusters, OpenBao, the forge and Prometheus at once, and choose the Pulumi plugins."""
    lab = Lab(home.create(), toolbox, reporter)
    with locked(home):
        settle(home, topology)
        private_tmp.sweep(home)
        deployment.make_room(home)
        start_janitor(lab, owner)
        hooks = argocd.webhooks(lab)
        _together(
            reporter,
            {
                "clusters": lambda: clusters.boot(lab),
                "OpenBao": lambda: vault.boot(lab),
                "git forge": lambda: _boot_forge(lab, hooks),
                "Prometheus": lambda: prometheus.boot(lab),
                "Pulumi plugins": lambda: _choose_plugins(lab),
            },
        )
        # By the addresses of all these.
        gitops_repo.ensure(lab)


def deploy(home: LabHome, toolbox: Toolbox, reporter: Reporter) -> list[str]:
    """Run ``pulumi up`` for the stacks of the lab's topology; returns what went wrong.

    What the hub has runs before the stacks that join it are deployed, as it does where they are deployed another day.
    """
    first, *others = topology_of(home).waves
    problems = deployment.up(home, toolbox, first, reporter)
    for wave in others:
        if not problems:
            try:
                _start_controllers(Lab(home, toolbox, reporter))
            except LabError as error:
                problems.append(str(error))
        if problems:
            return [*problems, f"not deployed, because of that: {', '.join(wave)}"]
        problems = deployment.up(home, toolbox, wave, reporter)
    return problems


def run_controllers(home: LabHome, toolbox: Toolbox, reporter: Reporter) -> None:
    """Start the controllers of Argo CD, External Secrets and Argo Rollouts, by what ``pulumi up`` made for them.

    Where Argo CD brings External Secrets to a spoke, that is waited for.
    """
    lab = Lab(home, toolbox, reporter)
    started = _start_controllers(lab)
    with locked(home):
        _finish_external_secrets(lab, started)


def parts(home: LabHome) -> list[str]:
    """The names of all parts that the lab should have."""
    names = clusters.cluster_names(home)
    return [
        janitor.PART,
        control_plane.ETCD,
        *(part for name in names for part in control_plane.parts_of(name)),
        vault.PART,
        forge.PART,
        prometheus.PART,
        *argocd.PARTS,
        *external_secrets.part_names(home),
        *argo_rollouts.part_names(home),
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


def _start_controllers(lab: Lab) -> list[str]:
    """Start what can be started now; returns the clusters on which External Secrets runs."""
    started: list[str] = []
    with locked(lab.home):
        _together(
            lab.reporter,
            {
                "Argo CD": lambda: argocd.boot(lab),
                "External Secrets": lambda: started.extend(external_secrets.CONTROLLER.boot(lab)),
                "Argo Rollouts": lambda: argo_rollouts.CONTROLLER.boot(lab),
            },
        )
    return started


def _boot_forge(lab: Lab, hooks: tuple[str, ...]) -> None:
    forge.boot(lab, hooks=hooks)
    chart_repo.publish(lab)


def _finish_external_secrets(lab: Lab, started: Sequence[str]) -> None:
    """See to the spokes that have no External Secrets yet: Argo CD may be bringing it."""
    names = clusters.cluster_names(lab.home)
    missing = [name for name in names if name != HUB and name not in started]
    if not missing:
        return
    late: list[str] = []
    by_argocd = external_secrets.delivered_by_argocd(lab)
    if coming := [name for name in missing if name in by_argocd]:
        with lab.reporter.phase(f"External Secrets on {', '.join(coming)}, by Argo CD"):
            late = external_secrets.await_delivery(lab, coming)
    if late:
        lab.reporter.note(
            f"Argo CD has not brought External Secrets to {', '.join(late)} yet; once it has, run 'fleet lab up'"
        )
    if strangers := [name for name in missing if name not in coming]:
        lab.reporter.note(
            f"no External Secrets on {', '.join(strangers)}: no stack has made it a spoke yet"
        )


def _choose_plugins(lab: Lab) -> None:
    for plugin in pulumi_plugins.choose(lab.home, lab.toolbox):
        lab.reporter.note(f"Pulumi plugin {plugin.name} {plugin.version}: {_WHOSE[plugin.origin]}")


def start_janitor(lab: Lab, owner: int | None) -> None:
    """Start what stops the lab after its lifetime, or when its owner is gone."""
    lifetime = os.environ.get("FLEET_LAB_TTL", janitor.DEFAULT_LIFETIME)
    orders = janitor.Orders.make(lifetime, owner)
    orders.write(janitor.orders_file(lab.home.root))
    command: list[str | Path] = [sys.executable, "-m", "lab.janitor", lab.home.root]
    env = {**lab.base_env(), "PYTHONPATH": str(CHECKOUT)}
    lab.start(Part(name=janitor.PART, command=command, env=env, cwd=CHECKOUT))
