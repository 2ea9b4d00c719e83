"""Argo Rollouts on the spokes that name it among their addons."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.model.argo_rollouts import ADDON
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet

SECTION = "fleet:argoRollouts"


def problems(fleet: Fleet) -> Iterator[Problem]:
    """Spokes that ask for it where the stack doesn't have it, or where nothing could be deployed with it."""
    for index, spoke in enumerate(fleet.spokes):
        if ADDON not in spoke.addons:
            continue
        where = f"fleet:spokes[{index}].addons[{spoke.addons.index(ADDON)}]"
        if not fleet.argo_rollouts:
            yield Problem(
                where,
                f'"{ADDON}" is what Pulumi installs, by {SECTION}, which is not there; add it with its `manifest`, or '
                f'write `labels: {{enable_{ADDON}: "true"}}` where others install it',
            )
        elif spoke.in_cluster:
            yield Problem(
                where,
                f'"{ADDON}" says nothing on the hub: its AppProject keeps all kinds of argoproj.io out, because Argo '
                "CD's own are among them; take it out",
            )
