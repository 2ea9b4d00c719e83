"""What is refused because a spoke would lose Applications, and what is said where that is allowed.

Pure: the losses themselves are told by `live.losses`.
"""

from __future__ import annotations

from live import protection
from live.hub_state import HubState
from live.losses import Loss, losses
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet

GUIDE = "docs/remove-a-cluster.md"
SHOWN = 5
"""How many Applications a message names."""


def problems(fleet: Fleet, stack: str, state: HubState) -> list[Problem]:
    """A problem per loss, except for the spokes under `fleet:allowDeletion`; those that are protected too."""
    held = protection.leaving(fleet, stack, state)
    return [
        Problem(loss.path, f"{_told(loss, state)}. {_way_out(loss.spoke, held)}; see {GUIDE}")
        for loss in losses(fleet, stack, state)
        if loss.spoke not in fleet.allow_deletion or loss.spoke in held
    ] + list(protection.problems(fleet, stack, state))


def _way_out(spoke: str, held: set[str]) -> str:
    if spoke in held:
        return f"If that is what you want: {protection.way_out(spoke)}"
    return f"If that is what you want, write `fleet:allowDeletion: [{spoke}]` for one `up`"


def notes(fleet: Fleet, stack: str, state: HubState) -> list[str]:
    """A line for each loss that `fleet:allowDeletion` allows, and for each name there that allows nothing."""
    found = losses(fleet, stack, state)
    losing = {loss.spoke for loss in found}
    known = {spoke.name for spoke in fleet.spokes} | {one.name for one in state.clusters}
    return [
        f"allowed by fleet:allowDeletion: {_told(loss, state)}"
        for loss in found
        if loss.spoke in fleet.allow_deletion
    ] + [
        protection.note(fleet, name)
        or f'fleet:allowDeletion: "{name}" would lose nothing; take it out, so that it allows nothing later'
        # No guess at another name: whoever followed it would let a living spoke lose what it has.
        + ("" if name in known else "; no spoke has this name")
        for name in fleet.allow_deletion
        if name not in losing
    ]


def _told(loss: Loss, state: HubState) -> str:
    return f"{loss.cause}. {_subject(loss, state)} {loss.outcome}"


def _subject(loss: Loss, state: HubState) -> str:
    """The Applications at stake as the subject of a sentence."""
    names = [
        one.name
        for one in state.applications
        if one.cluster == loss.spoke and (not loss.sets or one.set in loss.sets)
    ]
    if not names:
        return "Its Applications"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    listed = ", ".join(names[:SHOWN]) + more
    return (
        f"Its Application {listed}"
        if len(names) == 1
        else f"Its {len(names)} Applications ({listed})"
    )
