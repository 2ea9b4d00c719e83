"""What the last run of this stack has put on record about its clusters."""

from __future__ import annotations

from typing import Any

import pulumi

from live.identity import Identities

OUTPUT = "identities"
"""The stack output: kept in Pulumi's state, so that an empty hub can't be taken for the one that it stands for."""


def recorded_identities() -> Identities:
    """The identities that the stack's last run knew; none before the first, and after a release without them.

    Asked of the engine at once, before anything is registered: it reads the state as the last run has left it.
    """
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    answer: Any = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack}).value
    found = (answer.get("outputs") or {}).get(OUTPUT) or {}
    return Identities(str(found.get("hub") or ""), dict(found.get("spokes") or {}))


def record_identities(known: Identities) -> None:
    """Put these on record. Plain values: so Pulumi keeps them, whatever becomes of the run's resources."""
    pulumi.export(OUTPUT, {"hub": known.hub, "spokes": dict(known.spokes)})
