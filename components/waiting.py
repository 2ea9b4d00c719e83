"""How the program waits for what it has begun: as Pulumi means it, where its SDK (3.259) falls short.

Two things are put right, both of `pulumi.runtime.stack.wait_for_rpcs`, which knows no setting. The SDK's version is
pinned.

- When a resource depends on one that has failed, the SDK takes that for an error of the program and ends it at once,
  with a traceback: what was still to be registered is not made. With `--continue-on-error` a dead spoke would so stop
  living ones. It must stay an error: of a program that ended well, the engine deletes whatever it did not register. So
  the program first lets everything else happen, then fails.
- It waits for the first of all outputs that are to come, and then for the first of the rest, and so on: with 500 spokes
  that alone is minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pulumi
from pulumi.runtime.rpc_manager import RPCManager
from pulumi.runtime.settings import SETTINGS, _get_rpc_manager
from pulumi.runtime.stack import ResourceRegistrationFailed

FAILED = "what failed is told above; what depends on it was left as it is"

_begun: set[asyncio.Future[Any]] = set()
"""The event loop itself keeps no hold of what runs in it."""


def wait_as_pulumi_means_it() -> None:
    """From now on a failed resource ends the program only when all else is done, and outputs are waited for together.

    Without `--continue-on-error` the engine ends the run before the program hears of a failure.
    """
    manager = _get_rpc_manager()
    _fail_last(manager)
    # Among the calls to the engine: those the SDK waits for first, one by one.
    waiting = asyncio.ensure_future(manager.do_rpc("wait for all outputs", _all_outputs)())
    _begun.add(waiting)
    waiting.add_done_callback(_begun.discard)


def _fail_last(manager: RPCManager) -> None:
    """Have a call that fails for its dependency wait for every other, then fail in words."""
    as_the_sdk_does = manager.do_rpc
    running: set[asyncio.Task[Any]] = set()

    def do_rpc(name: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def last(*args: Any, **kwargs: Any) -> Any:
            me = asyncio.current_task()
            assert me, "the SDK makes each call a task"
            running.add(me)
            try:
                return await function(*args, **kwargs)
            except ResourceRegistrationFailed:
                running.discard(me)
                while others := set(running):
                    await asyncio.wait(others)
                raise pulumi.RunError(FAILED) from None
            finally:
                running.discard(me)

        return as_the_sdk_does(name, last)

    manager.do_rpc = do_rpc  # type: ignore[method-assign, assignment]


async def _all_outputs() -> None:
    """Wait until no output is still to come; those that come may bring new ones."""
    while pending := [one for one in set(SETTINGS.outputs) if not one.done()]:
        await asyncio.wait(pending)
