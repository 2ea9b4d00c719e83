"""What the last run has put on record, read while the engine may be writing it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from tenacity import wait_none

from components import recorded
from live.identity import Identities
from stacks.model.errors import StackError

EOF = (
    "invocation of pulumi:pulumi:readStackOutputs returned an error: failed to load checkpoint: EOF"
)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded._WHILE_IT_IS_WRITTEN, "wait", wait_none())
    monkeypatch.setattr(pulumi, "get_organization", lambda: "organization")


def _engine(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[Any]:
    coming = list(answers)

    def invoke(*_: Any) -> Any:
        answer = coming.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(value=answer)

    monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
    return coming


def test_a_state_that_is_just_being_written_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {
        "identities": {"hub": "h", "spokes": {"prod-1": "p"}},
        "spokes": {"prod-1": "https://prod-1"},
    }
    left = _engine(monkeypatch, Exception(EOF), Exception(EOF), {"outputs": outputs})
    assert recorded.recorded_identities() == Identities(
        "h", {"prod-1": "p"}, {"prod-1": "https://prod-1"}
    )
    assert not left


def test_before_the_first_run_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _engine(monkeypatch, {})
    assert recorded.recorded_identities() == Identities("", {})


def test_what_can_not_be_read_is_no_empty_record(monkeypatch: pytest.MonkeyPatch) -> None:
    _engine(monkeypatch, Exception("access denied"))
    with pytest.raises(StackError, match="can't be read from Pulumi's state: access denied"):
        recorded.recorded_identities()
