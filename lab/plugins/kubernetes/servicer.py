"""The gRPC service of the plugin: what the engine asks, on protobuf as it comes.

Not on `pulumi.provider.experimental.Provider`: that one drops what is needed here (old inputs, the
options of remote components, a way to keep a half-ready object) and is eight times slower on CRDs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    ResourceProviderServicer,
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
)

from lab.plugins.kubernetes import VERSION, objects, operations, reading, settings
from lab.plugins.kubernetes.check import check_inputs, without_stray_namespace
from lab.plugins.kubernetes.cluster import Unreachable
from lab.plugins.kubernetes.diff import compare
from lab.plugins.kubernetes.group import Construction
from lab.plugins.kubernetes.replies import diff_response, half_done, scrubbed
from lab.plugins.kubernetes.session import Cancelled, Session
from lab.plugins.kubernetes.settling import NotReady, Refused
from lab.plugins.kubernetes.wire import Object, decode, encode, has_unknown
from lab.plugins.servicer import ProviderError

T = TypeVar("T")

_SCHEMA = json.dumps({"name": "kubernetes", "version": VERSION})

_GONE = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the "
    'operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


class KubernetesServicer(ResourceProviderServicer):
    """Answers the engine; one instance per provider resource of the program."""

    def __init__(self, engine_address: str) -> None:
        super().__init__()
        # Many wait at the same time, and none may keep another from starting.
        self._threads = ThreadPoolExecutor(256, "kubernetes")
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine_address))
        self._session = Session(settings.Settings(unknown=True), self.log)
        self._warned = False

    def log(self, severity: str, message: str, urn: str = "", /) -> None:
        """Show `message` to the user, on the row of `urn`."""
        level = engine_pb2.LogSeverity.Value(severity)
        self._engine.Log(engine_pb2.LogRequest(severity=level, message=message, urn=urn))

    async def _run(self, func: Callable[..., T], *args: Any, inputs: Object | None = None) -> T:
        """Run blocking `func` in a thread; its failures become errors of one line, no secrets."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: func(*args))
        except Unreachable as error:
            message = f"configured Kubernetes cluster is unreachable: {error}"
        except Refused as error:
            message = str(error)
        except Cancelled:
            message = "cancelled"
        raise ProviderError(scrubbed(message, inputs or {}))

    async def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Say which official release is matched."""
        return plugin_pb2.PluginInfo(version=VERSION)

    async def Handshake(self, request: Any, context: Any) -> Any:
        """Take secrets, outputs and resources as they are."""
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=True
        )

    async def Cancel(self, request: Any, context: Any) -> Any:
        """Stop waiting: the user pressed Ctrl-C."""
        self._session.cancelled.set()
        return empty_pb2.Empty()

    async def CheckConfig(self, request: Any, context: Any) -> Any:
        """Refuse provider options that do not exist or do not work here."""
        wrong = settings.check(decode(request.news))
        failures = [provider_pb2.CheckFailure(property=name, reason=why) for name, why in wrong]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    async def DiffConfig(self, request: Any, context: Any) -> Any:
        """Tell which provider options changed, and which of them mean another cluster."""
        old = decode(request.old_inputs) or decode(request.olds)
        new = decode(request.news)
        names = sorted({*old, *new} - {"version", "pluginDownloadURL"})
        changed = [name for name in names if old.get(name) != new.get(name)]
        replaces = settings.replacing(old, new) if changed else []
        some = provider_pb2.DiffResponse.DIFF_SOME
        none = provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if changed else none, diffs=changed, replaces=replaces
        )

    async def Configure(self, request: Any, context: Any) -> Any:
        """Take the provider options; the cluster is connected at the first use."""
        self._session = Session(settings.parse(decode(request.args)), self.log)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True, acceptOutputs=True
        )

    async def GetSchema(self, request: Any, context: Any) -> Any:
        """Nothing but the name: programs use the official SDK."""
        return provider_pb2.GetSchemaResponse(schema=_SCHEMA)

    async def Check(self, request: Any, context: Any) -> Any:
        """Fill in name and namespace, and refuse what can be refused offline."""
        old, new = decode(request.olds), decode(request.news)
        why = await self._run(self._session.unreachable)
        if why and not self._session.settings.unknown:
            if self._session.settings.skip_update_unreachable and old:
                message = "Cluster is unreachable but skipUpdateUnreachable flag is set to true"
                await self._run(self.log, "WARNING", f"{message}, skipping...", request.urn)
                return provider_pb2.CheckResponse(inputs=request.olds)
            if not self._warned:
                self._warned = True
                message = f"configured Kubernetes cluster is unreachable: {why}"
                await self._run(self.log, "WARNING", message, request.urn)
        checked, wrong = await self._run(
            check_inputs, self._session, request.urn, old, new, request.randomSeed
        )
        failures = [provider_pb2.CheckFailure(property=name, reason=text) for name, text in wrong]
        return provider_pb2.CheckResponse(inputs=encode(checked), failures=failures)

    async def Diff(self, request: Any, context: Any) -> Any:
        """Compare old inputs with new ones."""
        old, new = decode(request.old_inputs), decode(request.news)
        if not old:
            old = {k: v for k, v in decode(request.olds).items() if k in new}
        old, new = await self._run(without_stray_namespace, self._session, old, new)
        found = compare(
            old,
            new,
            mutability=self._session.settings.mutability,
            ignored=list(request.ignoreChanges),
        )
        return diff_response(found)

    async def Create(self, request: Any, context: Any) -> Any:
        """Create the object; a preview answers with the inputs."""
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        inputs = decode(request.properties)
        try:
            state = await self._run(
                operations.create,
                self._session,
                request.urn,
                inputs,
                request.timeout,
                inputs=inputs,
            )
        except NotReady as error:
            await half_done(context, error, inputs)
        return provider_pb2.CreateResponse(id=objects.object_id(state), properties=encode(state))

    async def Read(self, request: Any, context: Any) -> Any:
        """Read the object for `refresh` and `import`."""
        session, given = self._session, self._session.settings
        why = await self._run(session.unreachable)
        if why:
            message = f"configured Kubernetes cluster is unreachable: {why}"
            await self._run(self.log, "WARNING", message, request.urn)
            if given.delete_unreachable:
                return provider_pb2.ReadResponse()
            if given.skip_update_unreachable:
                return provider_pb2.ReadResponse(
                    id=request.id, properties=request.properties, inputs=request.inputs
                )
            raise ProviderError(
                f"failed to read resource state due to unreachable cluster. {_GONE}"
            )
        inputs, state = decode(request.inputs), decode(request.properties)
        try:
            found = await self._run(
                reading.read, session, request.urn, request.id, state, inputs, inputs=inputs
            )
        except NotReady as error:
            await half_done(context, error, inputs, request.id)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=encode(found[0]), inputs=encode(found[1])
        )

    async def Update(self, request: Any, context: Any) -> Any:
        """Apply new inputs; a preview lets the server compute the result."""
        inputs, state = decode(request.news), decode(request.olds)
        if request.preview and (has_unknown(inputs) or await self._run(self._session.unreachable)):
            return provider_pb2.UpdateResponse(properties=request.news)

        def change() -> Object:
            return operations.update(
                self._session,
                request.urn,
                request.id,
                state,
                inputs,
                request.timeout,
                ignored=list(request.ignoreChanges),
                preview=request.preview,
            )

        try:
            changed = await self._run(change, inputs=inputs)
        except NotReady as error:
            await half_done(context, error, inputs, request.id)
        return provider_pb2.UpdateResponse(properties=encode(changed))

    async def Delete(self, request: Any, context: Any) -> Any:
        """Delete the object and wait until it is gone."""
        session = self._session
        why = await self._run(session.unreachable)
        if why:
            message = f"configured Kubernetes cluster is unreachable: {why}"
            await self._run(self.log, "WARNING", message, request.urn)
            if session.settings.delete_unreachable:
                return empty_pb2.Empty()
            raise ProviderError(f"{message}. {_GONE}")
        state, inputs = decode(request.properties), decode(request.old_inputs)
        try:
            await self._run(
                reading.delete, session, request.urn, request.id, state, inputs, request.timeout,
                inputs=inputs,
            )  # fmt: skip
        except NotReady as error:
            await half_done(context, error, inputs, request.id)
        return empty_pb2.Empty()

    async def Invoke(self, request: Any, context: Any) -> Any:
        """Refuse: functions belong to components of older releases."""
        raise ProviderError(f"{request.tok}: not supported by the lab's kubernetes plugin")

    async def Construct(self, request: Any, context: Any) -> Any:
        """Register a remote component and its objects; only where the plugin's own cluster answers."""
        why = await self._run(self._session.unreachable)
        if why and not self._session.settings.unknown:
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {why}")
        return await Construction(request, self._session, self._run).build()
