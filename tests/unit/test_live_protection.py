"""A protected spoke leaves by two `up`, and is told so before anything is done."""

from __future__ import annotations

from typing import Any

import pytest

from live import disruption, hub_state
from tests.unit.live_hub import NAMESPACE, LiveHub, a_fleet, a_spoke

PROD, STAGING = a_spoke("prod-1"), a_spoke("staging", environment="staging")
IN_VAULT = a_spoke("prod-1", auth={"kind": "vault"})
ALLOWED = {"allowDeletion": ["prod-1"]}


def _problems(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    state = hub_state.read(LiveHub().up(a_fleet(**before), "lab"), NAMESPACE)
    return [one.message for one in disruption.problems(a_fleet(**after), "lab", state)]


@pytest.mark.parametrize("allowed", [{}, ALLOWED])
def test_a_block_that_is_taken_out_first_is_refused_with_both_steps(
    allowed: dict[str, Any],
) -> None:
    (message,) = _problems({}, {"spokes": [STAGING], **allowed})
    assert message.startswith('"prod-1" has no block any more: Argo CD would forget the cluster. ')
    assert (
        'If that is what you want: "prod-1" is protected, so it takes two `up`: put its block back as it was and write '
        "`fleet:allowDeletion: [prod-1]`, `up`; then take the block out, `up`; see docs/remove-a-cluster.md"
        in message
    )


def test_the_documented_steps_pass() -> None:
    assert _problems({}, ALLOWED) == []
    assert _problems(ALLOWED, {"spokes": [STAGING], **ALLOWED}) == []


def test_letting_go_allows_no_loss_by_itself() -> None:
    """An `up` with the line, and the line gone when the block goes: as anybody's spoke."""
    (message,) = _problems(ALLOWED, {"spokes": [STAGING]})
    assert "write `fleet:allowDeletion: [prod-1]` for one `up`" in message


def test_a_spoke_of_no_protected_environment_takes_one() -> None:
    assert _problems({}, {"spokes": [PROD], "allowDeletion": ["staging"]}) == []


def test_no_other_stack_s_spoke_counts() -> None:
    hub = LiveHub().up(a_fleet(), "other")
    state = hub_state.read(hub, NAMESPACE)
    assert disruption.problems(a_fleet(spokes=[STAGING]), "lab", state) == []


@pytest.mark.parametrize(("before", "after"), [(PROD, IN_VAULT), (IN_VAULT, PROD)])
def test_a_cluster_secret_that_changes_hands_is_let_go_first(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    for allowed in ({}, ALLOWED):
        (message,) = _problems({"spokes": [before]}, {"spokes": [after], **allowed})
        assert "leave `auth` as it was and write `fleet:allowDeletion: [prod-1]`, `up`" in message
    assert _problems({"spokes": [before], **ALLOWED}, {"spokes": [after], **ALLOWED}) == []


def test_what_the_line_does_is_said() -> None:
    state = hub_state.read(LiveHub().up(a_fleet(), "lab"), NAMESPACE)
    (said,) = disruption.notes(a_fleet(**ALLOWED), "lab", state)
    assert "For the next one take its block out, or this line" in said
    (said,) = disruption.notes(a_fleet(allowDeletion=["staging"]), "lab", state)
    assert "would lose nothing; take it out" in said
