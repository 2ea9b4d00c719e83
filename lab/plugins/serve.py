"""What an executable plugin calls: a Pulumi provider as a gRPC server that behaves.

Built on `pulumi.provider.experimental`, whose own `main` leaves four things to be wished for:
it outlives an engine that is killed, prints tracebacks, has no way to say that an object exists
but did not become ready, and drops the old inputs that `diff` and `update` need.
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import functools
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import grpc.aio
from pulumi.provider.experimental.provider import Provider
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from lab.plugins.servicer import (
    DEBUG_VARIABLE,
    InitializationFailed,
    OneLineErrors,
    Properties,
    ProviderError,
    Servicer,
    old_inputs,
    one_line,
)

__all__ = [
    "DEBUG_VARIABLE",
    "InitializationFailed",
    "Properties",
    "ProviderError",
    "old_inputs",
    "one_line",
    "run_blocking",
    "serve",
]

P = ParamSpec("P")
T = TypeVar("T")

# The event loop's own pool has a handful of threads on a small machine; these only wait for answers.
_IO_POOL = ThreadPoolExecutor(max_workers=48, thread_name_prefix="provider-io")


async def run_blocking(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking `func` in the providers' own threads, never in the event loop's pool."""
    call = functools.partial(contextvars.copy_context().run, func, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_IO_POOL, call)


def serve(provider: Provider, *, version: str, args: Sequence[str]) -> None:
    """Serve `provider` on a loopback port until the engine is gone; the port goes to stdout.

    `args` are the command line's, without the program's name: the engine's address, or
    `--version`, which prints `version` and returns.
    """
    parser = argparse.ArgumentParser(description="Pulumi resource plugin of the Fleet lab.")
    parser.add_argument("engine", nargs="?", help="address of the Pulumi engine that starts it")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    known, _ = parser.parse_known_args(list(args))
    if known.version:
        sys.stdout.write(f"{version}\n")
        return
    if not known.engine:
        parser.error("started without the engine's address: Pulumi starts this program, not you")
    threading.Thread(
        target=_exit_with_parent, args=(os.getppid(),), name="parent-watch", daemon=True
    ).start()
    try:
        asyncio.run(_serve(Servicer(list(args), version, provider, known.engine)))
    except (KeyboardInterrupt, BrokenPipeError):
        # A broken pipe is an engine that died before it read the port.
        os._exit(1)


async def _serve(servicer: Servicer) -> None:
    asyncio.get_running_loop().set_exception_handler(_stray_failure)
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS, interceptors=[OneLineErrors()])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


def _exit_with_parent(parent: int) -> None:
    """Wait until `parent` is gone, then end this process."""
    try:
        handle = os.pidfd_open(parent)
    except (AttributeError, OSError):  # no pidfd here (macOS), or the parent is gone already
        while os.getppid() == parent:
            time.sleep(0.5)
    else:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while os.getppid() == parent and not poll.poll(60_000):
            pass
    os._exit(1)


def _stray_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep asyncio's own reports ("exception was never retrieved") off the user's screen."""
    if os.environ.get(DEBUG_VARIABLE) and isinstance(context.get("exception"), BaseException):
        traceback.print_exception(context["exception"])
