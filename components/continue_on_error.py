"""`pulumi up --continue-on-error` as Pulumi means it: a failure costs what depends on it, and nothing else.

The SDK (3.259) takes it for an error of the program when a resource depends on one that has failed: it ends the program
at once, with a traceback, and whatever was still to be registered is not made. One dead spoke would stop living ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from pulumi.runtime.settings import _get_rpc_manager
from pulumi.runtime.stack import ResourceRegistrationFailed


def leave_out_what_depends_on_failures() -> None:
    """From now on a resource whose dependency has failed is not registered, and the program goes on.

    The engine has reported the failure itself by then, and the run ends with its exit code. Without
    `--continue-on-error` it ends the run before the program hears of it.
    """
    manager = _get_rpc_manager()
    as_the_sdk_does = manager.do_rpc

    def do_rpc(name: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def left_out(*args: Any, **kwargs: Any) -> Any:
            with suppress(ResourceRegistrationFailed):
                return await function(*args, **kwargs)

        return as_the_sdk_does(name, left_out)

    manager.do_rpc = do_rpc  # type: ignore[method-assign, assignment]
