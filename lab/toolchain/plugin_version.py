"""Which version a Pulumi plugin says it is. One on PATH needn't be the one that the SDK asks for."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

UNKNOWN = "of unknown version"
_SECONDS = 20.0


def said_version(executable: Path) -> str:
    """Start the plugin as the engine does and ask it; ``of unknown version`` where it gives no answer."""
    import grpc  # here, because it takes half a second, and few have a plugin on PATH
    from google.protobuf.empty_pb2 import Empty
    from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

    try:
        # the argument is the engine's address, which it dials only when it has something to say
        process = subprocess.Popen(
            [str(executable), "127.0.0.1:1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return UNKNOWN
    end = threading.Timer(_SECONDS, process.kill)
    end.start()
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        no_proxy = [("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", no_proxy) as channel:
            said: str = (
                ResourceProviderStub(channel).GetPluginInfo(Empty(), timeout=_SECONDS).version
            )
            return said.removeprefix("v") or UNKNOWN
    except grpc.RpcError:
        return UNKNOWN
    finally:
        end.cancel()
        process.kill()
        process.wait()
