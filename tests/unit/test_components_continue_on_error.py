"""A failed resource costs what depends on it, and does not end the program: shown on the SDK's own manager of calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pulumi.runtime import rpc_manager, settings
from pulumi.runtime.stack import ResourceRegistrationFailed, wait_for_rpcs

from components.continue_on_error import leave_out_what_depends_on_failures


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(settings.SETTINGS, "rpc_manager", rpc_manager.RPCManager())
    monkeypatch.setattr(settings.SETTINGS, "outputs", set())
    return []


def _program(made: list[str], failure: Exception) -> None:
    """Two registrations at once: one fails at its dependency, the other is done a while later."""

    async def fails() -> Any:
        raise failure

    async def slow() -> Any:
        await asyncio.sleep(0.05)
        made.append("the other")

    async def run() -> None:
        leave_out_what_depends_on_failures()
        manager = settings._get_rpc_manager()
        begun = [
            asyncio.ensure_future(manager.do_rpc("register resource", one)())
            for one in (slow, fails)
        ]
        await asyncio.sleep(0)
        assert len(begun) == len(manager.rpcs)
        await wait_for_rpcs(await_all_outstanding_tasks=False)

    asyncio.run(run())


def test_the_others_are_registered(made: list[str]) -> None:
    _program(made, ResourceRegistrationFailed("resource x failed to register"))
    assert made == ["the other"]


def test_any_other_error_ends_the_program(made: list[str]) -> None:
    with pytest.raises(ValueError, match="a mistake"):
        _program(made, ValueError("a mistake"))
