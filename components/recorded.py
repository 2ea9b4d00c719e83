"""What the last run of this stack has put on record about its clusters."""

from __future__ import annotations

from typing import Any

import pulumi
from tenacity import Retrying, retry_if_exception_message, stop_after_delay, wait_fixed

from live.identity import Identities
from stacks.model.errors import Problem, StackError

# The engine writes the state while it answers, having had to register the provider that is asked. A state in a folder
# has a file of attributes beside it, which is empty for a moment: "failed to load checkpoint: EOF". Never a wrong
# answer: the state itself is put into its place whole (gocloud's fileblob, attrs.go).
_WHILE_IT_IS_WRITTEN = Retrying(
    retry=retry_if_exception_message(match=".*failed to load checkpoint"),
    wait=wait_fixed(0.2),
    stop=stop_after_delay(10),
    reraise=True,
)


def recorded_identities() -> Identities:
    """The identities that the stack's last run knew; none before the first, and after a release without them.

    Asked of the engine at once, before anything is registered: it reads the state as the last run has left it.
    Raises StackError where it can't be read: without it no cluster can be told from another.
    """
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    try:
        answer: Any = _WHILE_IT_IS_WRITTEN(
            pulumi.runtime.invoke, "pulumi:pulumi:readStackOutputs", {"name": stack}
        )
    except Exception as error:  # Pulumi raises nothing narrower
        said = f"which clusters the last run knew can't be read from Pulumi's state: {error}"
        raise StackError(f"stack {stack}", [Problem("", said)]) from None
    return Identities.of_outputs(answer.value.get("outputs") or {})


def record_identities(known: Identities) -> None:
    """Put these on record. Plain values: so Pulumi keeps them, whatever becomes of the run's resources."""
    for name, value in known.as_outputs().items():
        pulumi.export(name, value)
