"""The engine's forms of what was found: differences, and objects that are not ready."""

from __future__ import annotations

from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from lab.plugins.kubernetes import objects
from lab.plugins.kubernetes.diff import Difference
from lab.plugins.kubernetes.settling import NotReady
from lab.plugins.kubernetes.wire import Object, encode, secret_texts


def diff_response(found: Difference) -> Any:
    """Return the engine's form of a difference between inputs."""
    kinds = provider_pb2.PropertyDiff.Kind
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=kinds.Value(f"{kind}_REPLACE" if path in found.replaces else kind), inputDiff=True
        )
        for path, kind in found.changes.items()
    }
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some if detailed else none,
        replaces=found.replaces,
        deleteBeforeReplace=found.delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


async def half_done(context: Any, error: NotReady, inputs: Object, resource_id: str = "") -> None:
    """End the call so that the engine keeps the object in state and shows what is missing."""
    message = scrubbed(str(error), inputs)
    detail = provider_pb2.ErrorResourceInitFailed(
        id=resource_id or objects.object_id(error.state),
        properties=encode(error.state),
        inputs=encode(inputs),
        reasons=[message, *(scrubbed(reason, inputs) for reason in error.reasons)],
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    status.details.add().Pack(detail)
    trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(grpc.StatusCode.UNKNOWN, message, trailer)


def scrubbed(message: str, inputs: Object) -> str:
    """Return `message` without any text that `inputs` hold as a secret."""
    for hidden in sorted(secret_texts(inputs), key=len, reverse=True):
        if len(hidden) > 3:
            message = message.replace(hidden, "[secret]")
    return message
