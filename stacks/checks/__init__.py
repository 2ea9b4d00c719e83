"""What no single field can tell: checks across the spokes and sections of a fleet."""

from __future__ import annotations

from stacks.checks import application_sets, credentials, external_secrets, spokes, vault
from stacks.checks.contract_of import contract_of
from stacks.errors import Problem
from stacks.model import Fleet


def problems(fleet: Fleet, stack: str) -> list[Problem]:
    """Everything wrong across a fleet whose spokes have been found, by subject."""
    # Without these nobody can say what a cluster Secret will carry, and what follows from that would only confuse.
    ground = [
        *spokes.environments(fleet),
        *external_secrets.required(fleet),
        *vault.files(fleet),
    ]
    found = [
        *ground,
        *spokes.problems(fleet),
        *credentials.problems(fleet),
        *external_secrets.problems(fleet),
        *vault.problems(fleet),
        *application_sets.shapes(fleet),
    ]
    if not ground:
        known = contract_of(fleet, stack)
        found += [*spokes.reserved(fleet, known), *application_sets.problems(fleet, stack, known)]
    return found
