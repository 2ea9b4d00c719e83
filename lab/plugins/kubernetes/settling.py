"""Waiting until an object is ready, and what is raised where it is not or was not made at all."""

from __future__ import annotations

from collections.abc import Sequence

from lab.plugins.kubernetes import await_ready, objects
from lab.plugins.kubernetes.cluster import ApiError, Kind, Unreachable
from lab.plugins.kubernetes.pods import pods_told
from lab.plugins.kubernetes.session import Cancelled, Session
from lab.plugins.kubernetes.wire import Object


class NotReady(Exception):
    """The object exists but is not ready: state is kept, `reasons` are shown."""

    def __init__(self, state: Object, message: str, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.state = state
        self.reasons = list(reasons)


class Refused(Exception):
    """The API server did not do it; the text is for the user."""


def settled(
    session: Session,
    kind: Kind,
    live: Object,
    inputs: Object,
    manager: str,
    custom_timeout: float,
    done: str,
) -> Object:
    """Wait until `live` is ready; return its state, or raise `NotReady` with it."""
    if await_ready.skipped(inputs):
        return objects.to_state(live, inputs, manager)
    cluster, meta = session.cluster(), live["metadata"]
    path = kind.path(meta.get("namespace"), meta["name"])
    latest = [live]

    def check() -> str | None:
        lacking = await_ready.missing(latest[0])
        if lacking is None:
            return None
        latest[0] = cluster.request("GET", path)
        return await_ready.missing(latest[0])

    seconds = await_ready.timeout(inputs, custom_timeout)
    try:
        lacking = session.wait_for(check, seconds)
        problem = f"timed out after {seconds:.0f} s: {lacking}" if lacking else ""
    except await_ready.NeverReady as error:
        problem = str(error)
    except Cancelled:
        problem = "cancelled while waiting"
    except (ApiError, Unreachable) as error:
        problem = f"its state can't be read: {error}"
    state = objects.to_state(latest[0], inputs, manager)
    if not problem:
        return state
    message = (
        f"{title(live)} was successfully {done}, but the Kubernetes API server reported that it "
        f"failed to fully initialize or become live: {problem}"
    )
    raise NotReady(state, message, pods_told(cluster, latest[0]))


def title(live: Object) -> str:
    """Return kind and name for messages."""
    return f"{live.get('kind')} {objects.object_id(live)}"
