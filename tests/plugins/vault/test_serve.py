"""What `serve` adds to the SDK's server, spoken to as the engine speaks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf import struct_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

CHECKOUT = Path(__file__).resolve().parents[3]
PLUGIN = """
    import sys
    from pulumi.provider.experimental.property_value import PropertyValue
    from pulumi.provider.experimental.provider import CreateResponse, DiffResponse, Provider
    from lab.plugins.serve import InitializationFailed, ProviderError, old_inputs, run_blocking, serve
    import threading

    class Example(Provider):
        async def create(self, request):
            match request.urn:
                case "half":
                    raise InitializationFailed("id", {"a": PropertyValue("b")}, {}, ["not\\nready"])
                case "bug":
                    raise KeyError("x")
                case "thread":
                    name = await run_blocking(lambda: threading.current_thread().name)
                    return CreateResponse(name, {})
            raise ProviderError("no\\n  good")

        async def diff(self, request):
            return DiffResponse(changes=bool(old_inputs(request)))

    serve(Example(), version="1.2.3", args=sys.argv[1:])
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], start_new_session=True)"


@pytest.fixture
def plugin(tmp_path):
    """Start the example below a parent of its own; yield (parent, stub)."""
    file = tmp_path / "plugin.py"
    file.write_text(textwrap.dedent(PLUGIN))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(file), "127.0.0.1:1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
    )
    port = int(parent.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield parent, provider_pb2_grpc.ResourceProviderStub(channel)
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    parent.stderr.close()


def create(stub, urn):
    return stub.Create(provider_pb2.CreateRequest(urn=urn))


def test_errors_are_one_line_without_a_traceback(plugin):
    parent, stub = plugin
    expected = {
        "plain": (grpc.StatusCode.UNKNOWN, "no good"),
        "bug": (
            grpc.StatusCode.UNKNOWN,
            "KeyError: 'x' (unexpected; FLEET_PLUGIN_DEBUG=1 shows where)",
        ),
    }
    for urn, wanted in expected.items():
        with pytest.raises(grpc.RpcError) as raised:
            create(stub, urn)
        assert (raised.value.code(), raised.value.details()) == wanted
    with pytest.raises(grpc.RpcError) as raised:
        stub.Handshake(provider_pb2.ProviderHandshakeRequest())
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
    parent.kill()
    assert parent.stderr.read() == b""


def test_partial_failure_keeps_the_object(plugin):
    _, stub = plugin
    with pytest.raises(grpc.RpcError) as raised:
        create(stub, "half")
    metadata = dict(raised.value.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    failed = provider_pb2.ErrorResourceInitFailed()
    detail: AnyMessage = status.details[0]
    assert detail.Unpack(failed)
    assert (failed.id, list(failed.reasons)) == ("id", ["not ready"])
    assert failed.properties["a"] == "b"


def test_old_inputs_and_a_pool_of_its_own(plugin):
    _, stub = plugin
    inputs = struct_pb2.Struct()
    inputs.update({"a": "b"})
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    assert stub.Diff(provider_pb2.DiffRequest(old_inputs=inputs)).changes == some
    assert stub.Diff(provider_pb2.DiffRequest()).changes == none
    assert create(stub, "thread").id.startswith("provider-io")


def test_it_listens_on_loopback_only_and_ends_with_its_parent(plugin):
    parent, _ = plugin
    child = psutil.Process(parent.pid).children()[0]
    assert {
        item.laddr.ip.removeprefix("::ffff:")
        for item in child.net_connections()
        if item.status == "LISTEN"
    } == {"127.0.0.1"}
    parent.kill()
    until = time.monotonic() + 5
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the plugin outlived its parent"
        time.sleep(0.02)


def test_version(tmp_path):
    plugin = CHECKOUT / "lab/plugins/bin/pulumi-resource-vault"
    done = subprocess.run(
        [sys.executable, str(plugin), "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "7.14.0\n"
