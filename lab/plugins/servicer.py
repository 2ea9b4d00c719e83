"""The gRPC side of the lab's plugins: errors of one line, partial failures, old inputs.

Puts right what `pulumi.provider.experimental.server` drops or gets wrong; `serve` runs it.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from pulumi.errors import InputPropertiesError, InputPropertyError
from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import proto
from pulumi.runtime.proto import errors_pb2, provider_pb2, status_pb2

Properties = dict[str, PropertyValue]

DEBUG_VARIABLE = "FLEET_PLUGIN_DEBUG"
"""Set to anything: tracebacks of failed calls go to stderr (for whoever works on a plugin)."""


class ProviderError(Exception):
    """A failure the user can act on; its text is shown as one line, as it is."""


class InitializationFailed(Exception):
    """The object exists but did not become ready: the engine keeps it in state, as "init errors".

    Raise it from `create`, `update` or `read`. `reasons` are shown one by one; the next `up`
    updates the object again.
    """

    def __init__(
        self, resource_id: str, properties: Properties, inputs: Properties, reasons: Sequence[str]
    ) -> None:
        super().__init__("; ".join(reasons))
        self.resource_id = resource_id
        self.properties = properties
        self.inputs = inputs
        self.reasons = [one_line(reason) for reason in reasons]


def old_inputs(request: api.DiffRequest | api.UpdateRequest | api.DeleteRequest) -> Properties:
    """Return the inputs of the last deployment, which the experimental API leaves out."""
    inputs: Properties = getattr(request, "old_inputs", {})
    return inputs


def one_line(text: object) -> str:
    """Return `text` with every run of white space as one blank."""
    return " ".join(str(text).split())


class OneLineErrors(grpc.aio.ServerInterceptor):
    """Turns what a provider raises into a gRPC status of one line."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Wrap the handler of every call."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def call(request: Any, context: Any) -> Any:
            try:
                return await handler.unary_unary(request, context)
            except (grpc.aio.AbortError, asyncio.CancelledError):
                raise
            except Exception as error:
                if os.environ.get(DEBUG_VARIABLE) and not isinstance(error, NotImplementedError):
                    traceback.print_exception(error)
                code, message, metadata = _status(error)
                await context.abort(code, message, metadata)

        return grpc.unary_unary_rpc_method_handler(
            call, handler.request_deserializer, handler.response_serializer
        )


def _status(error: Exception) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Return code, message and trailing metadata for `error`."""
    if isinstance(error, NotImplementedError):
        return grpc.StatusCode.UNIMPLEMENTED, one_line(error), ()
    detail: Any
    if isinstance(error, InitializationFailed):
        code, message = grpc.StatusCode.UNKNOWN, one_line(error)
        detail = provider_pb2.ErrorResourceInitFailed(
            id=error.resource_id,
            properties=PropertyValue.marshal_map(error.properties),
            inputs=PropertyValue.marshal_map(error.inputs),
            reasons=error.reasons,
        )
    elif isinstance(error, InputPropertyError | InputPropertiesError):
        code, detail = grpc.StatusCode.INVALID_ARGUMENT, errors_pb2.InputPropertiesError()
        message = one_line(getattr(error, "message", "") or "invalid input")
        found: Any = getattr(error, "errors", None) or [error.__dict__]
        for one in found:
            detail.errors.add(property_path=one["property_path"], reason=one_line(one["reason"]))
    else:
        # UNKNOWN is what Go plugins answer with a plain error.
        return grpc.StatusCode.UNKNOWN, _message(error), ()
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(detail)
    return code, message, (("grpc-status-details-bin", status.SerializeToString()),)


def _message(error: Exception) -> str:
    if isinstance(error, ProviderError):
        return one_line(error)
    kind = type(error).__name__
    return f"{kind}: {one_line(error)} (unexpected; {DEBUG_VARIABLE}=1 shows where)"


class Servicer(ProviderServicer):
    """The experimental servicer, with what it drops or gets wrong put right."""

    async def DiffConfig(self, request: Any, context: Any) -> proto.DiffResponse:
        """Compare provider configurations; the SDK's own answer is malformed."""
        return await self._diff(request, self._provider.diff_config)

    async def Diff(self, request: proto.DiffRequest, context: Any) -> proto.DiffResponse:
        """Compare, with the old inputs at hand."""
        return await self._diff(request, self._provider.diff)

    async def _diff(
        self, request: Any, ask: Callable[[api.DiffRequest], Awaitable[api.DiffResponse]]
    ) -> proto.DiffResponse:
        asked = api.DiffRequest(
            request.urn,
            request.id,
            PropertyValue.unmarshal_map(request.olds),
            PropertyValue.unmarshal_map(request.news),
            list(request.ignoreChanges),
        )
        asked.old_inputs = PropertyValue.unmarshal_map(request.old_inputs)  # type: ignore[attr-defined]
        answer = await ask(asked)
        some = provider_pb2.DiffResponse.DIFF_SOME
        none = provider_pb2.DiffResponse.DIFF_NONE
        unknown = provider_pb2.DiffResponse.DIFF_UNKNOWN
        return proto.DiffResponse(
            replaces=answer.replaces,
            stables=answer.stables,
            deleteBeforeReplace=answer.delete_before_replace,
            changes=unknown if answer.changes is None else some if answer.changes else none,
            diffs=answer.diffs,
            detailedDiff={
                path: provider_pb2.PropertyDiff(
                    kind=provider_pb2.PropertyDiff.Kind.Value(change.kind.name),
                    inputDiff=change.input_diff,
                )
                for path, change in answer.detailed_diff.items()
            },
            hasDetailedDiff=bool(answer.detailed_diff),
        )

    async def Update(self, request: Any, context: Any) -> proto.UpdateResponse:
        """Update, with the old inputs at hand."""
        asked = api.UpdateRequest(
            request.urn,
            request.id,
            PropertyValue.unmarshal_map(request.olds),
            PropertyValue.unmarshal_map(request.news),
            timeout=request.timeout,
            ignore_changes=list(request.ignoreChanges),
            preview=request.preview,
        )
        asked.old_inputs = PropertyValue.unmarshal_map(request.old_inputs)  # type: ignore[attr-defined]
        answer = await self._provider.update(asked)
        return proto.UpdateResponse(properties=PropertyValue.marshal_map(answer.properties))

    async def Delete(self, request: Any, context: Any) -> Any:
        """Delete, with the old inputs at hand."""
        asked = api.DeleteRequest(
            request.urn,
            request.id,
            PropertyValue.unmarshal_map(request.properties),
            timeout=request.timeout,
        )
        asked.old_inputs = PropertyValue.unmarshal_map(request.old_inputs)  # type: ignore[attr-defined]
        await self._provider.delete(asked)
        return empty_pb2.Empty()
