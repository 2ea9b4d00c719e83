"""How a run ends that is refused: in the words of the refusal, and nothing after them."""

from __future__ import annotations

import sys
from typing import NoReturn

import pulumi

# What Pulumi's language host takes for "the user has been told", to add nothing of its own. Of `pulumi.RunError` its
# executor makes a 1, and the CLI adds "an unhandled error occurred: program exited with non-zero exit code: 1".
_SAID = 32


def refuse(error: Exception) -> NoReturn:
    """End the program with what `error` says. The run fails, and makes and deletes nothing."""
    pulumi.log.error(str(error))
    sys.exit(_SAID)
