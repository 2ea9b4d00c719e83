"""How the program waits, shown on the SDK's own manager of calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc_manager, settings
from pulumi.runtime.stack import ResourceRegistrationFailed, wait_for_rpcs

from components.waiting import FAILED, wait_as_pulumi_means_it


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
        wait_as_pulumi_means_it()
        manager = settings._get_rpc_manager()
        begun = [
            asyncio.ensure_future(manager.do_rpc("register resource", one)())
            for one in (slow, fails)
        ]
        await asyncio.sleep(0)
        assert len(begun) < len(manager.rpcs), "these, and the wait for all outputs"
        await wait_for_rpcs(await_all_outstanding_tasks=False)

    asyncio.run(run())


def test_the_others_are_registered_and_then_the_program_fails(made: list[str]) -> None:
    """Of a program that ended well, the engine deletes what it did not register."""
    with pytest.raises(pulumi.RunError, match=FAILED):
        _program(made, ResourceRegistrationFailed("resource x failed to register"))
    assert made == ["the other"]


def test_any_other_error_ends_the_program(made: list[str]) -> None:
    with pytest.raises(ValueError, match="a mistake"):
        _program(made, ValueError("a mistake"))


def test_outputs_are_waited_for_together(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each: the SDK would ask for the first of them as often as there are outputs."""
    waited = []
    wait = asyncio.wait

    async def counted(*args: Any, **kwargs: Any) -> Any:
        waited.append(1)
        return await wait(*args, **kwargs)

    async def late(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "value"

    async def run() -> None:
        wait_as_pulumi_means_it()
        outputs = [pulumi.Output.from_input(late(index / 1000)) for index in range(50)]
        await asyncio.sleep(0)
        monkeypatch.setattr(asyncio, "wait", counted)
        await wait_for_rpcs()
        made.extend([str(await one.future()) for one in outputs])

    asyncio.run(run())
    assert made == ["value"] * 50
    assert len(waited) < 5
