"""What no single field can tell: checks across the spokes and sections of a fleet."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks import (
    application_sets,
    argo_rollouts,
    credentials,
    external_secrets,
    files,
    issuers,
    projects,
    spokes,
    teams,
    vault,
)
from stacks.checks.contract_of import contract_of
from stacks.desired.sets import delivers_external_secrets, external_secrets_set
from stacks.model.errors import Problem
from stacks.model.fields import is_label_value, is_subdomain
from stacks.model.fleet import Fleet


def ground(fleet: Fleet) -> list[Problem]:
    """What must be mended before anybody can say what a cluster Secret will carry, or compare with other stacks."""
    return [
        *spokes.environments(fleet),
        *external_secrets.required(fleet),
        *external_secrets.values(fleet),
        *vault.files(fleet),
    ]


def problems(fleet: Fleet, stack: str) -> list[Problem]:
    """Everything wrong across a fleet whose spokes have been found, by subject."""
    basic = ground(fleet)
    found = [
        *basic,
        *stack_name(fleet, stack),
        *files.problems(fleet),
        *spokes.problems(fleet),
        *issuers.problems(fleet),
        *credentials.problems(fleet),
        *external_secrets.problems(fleet),
        *argo_rollouts.problems(fleet),
        *vault.problems(fleet),
        *application_sets.shapes(fleet),
        *projects.problems(fleet),
        *teams.problems(fleet),
    ]
    if not basic:
        known = contract_of(fleet, stack)
        found += [
            *spokes.reserved(fleet, known),
            *vault.sizes(fleet, known),
            *application_sets.problems(fleet, stack, known),
            *projects.of_sets(fleet, stack),
        ]
    return found


def stack_name(fleet: Fleet, stack: str) -> Iterator[Problem]:
    """What is wrong with the stack's own name, which stands on every object that it makes on the hub."""
    if not is_label_value(stack):
        yield Problem(
            "",
            f'the stack\'s name "{stack}" is to be a label of its objects on the hub: it must have at most 63 letters, '
            'digits, "-", "_" and ".", with a letter or digit at both ends',
        )
    elif fleet.external_secrets and delivers_external_secrets(fleet):
        called = external_secrets_set(stack)
        if not is_subdomain(called):
            yield Problem(
                "",
                f'the stack\'s name "{stack}" makes no ApplicationSet "{called}", by which Argo CD delivers External '
                'Secrets: it must have lower-case letters, digits, "-" and "." only',
            )
