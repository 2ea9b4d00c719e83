"""How the program waits for what it has begun: as Pulumi means it, where its SDK (3.259) falls short.

Two things are put right, both of `pulumi.runtime.stack.wait_for_rpcs`, which knows no setting. The SDK's version is
pinned.

- When a resource depends on one that has failed, the SDK takes that for an error of the program: it ends at once, with
  a traceback, and what was still to be registered is not made. With `--continue-on-error` a dead spoke would stop
  living ones.
- It waits for the first of all outputs that are to come, and then for the first of the rest, and so on: with 500 spokes
  that alone is minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from pulumi.runtime.rpc_manager import RPCManager
from pulumi.runtime.settings import SETTINGS, _get_rpc_manager
from pulumi.runtime.stack import ResourceRegistrationFailed

_begun: set[asyncio.Future[Any]] = set()
"""The event loop itself keeps no hold of what runs in it."""


def wait_as_pulumi_means_it() -> None:
    """From now on a failure costs what depends on it, and all outputs are waited for at once.

    What failed has been reported by the engine, and the run ends with its exit code. Without `--continue-on-error` it
    ends the run before the program hears of it.
    """
    manager = _get_rpc_manager()
    _leave_out_what_depends_on_failures(manager)
    # Among the calls to the engine: those the SDK waits for first, one by one.
    waiting = asyncio.ensure_future(manager.do_rpc("wait for all outputs", _all_outputs)())
    _begun.add(waiting)
    waiting.add_done_callback(_begun.discard)


def _leave_out_what_depends_on_failures(manager: RPCManager) -> None:
    as_the_sdk_does = manager.do_rpc

    def do_rpc(name: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def left_out(*args: Any, **kwargs: Any) -> Any:
            with suppress(ResourceRegistrationFailed):
                return await function(*args, **kwargs)

        return as_the_sdk_does(name, left_out)

    manager.do_rpc = do_rpc  # type: ignore[method-assign, assignment]


async def _all_outputs() -> None:
    """Wait until no output is still to come; those that come may bring new ones."""
    while pending := [one for one in set(SETTINGS.outputs) if not one.done()]:
        await asyncio.wait(pending)
