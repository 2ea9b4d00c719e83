"""What the `fleet lab` commands share: the lab at hand, and its environment.

`lab` comes with a checkout only, and needs more libraries than the other commands (requirements-dev.txt), so it is
imported only when used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fleet.options import fail
from fleet.render import console

if TYPE_CHECKING:
    from lab.home import LabHome
    from lab.toolchain import Toolbox

NOT_STARTED = "the lab was never started here; start it: fleet lab up"


@contextmanager
def told_errors() -> Iterator[None]:
    """End the command with one clear error where the lab raises an expected one, or it or its libraries are missing."""
    try:
        from lab.errors import LabError
        from lab.toolchain import ToolError
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "lab":
            fail("the lab comes with a checkout of Fleet, not with the package; there: make lab")
        fail(f"the lab needs the library {error.name}: pip install -r requirements-dev.txt")
    try:
        yield
    except (LabError, ToolError) as error:
        fail(str(error), 1)


def home() -> LabHome:
    """The lab of this user, or the one that FLEET_LAB names."""
    from lab.home import LabHome

    return LabHome.from_environment()


def tools() -> Toolbox:
    """Every tool of the lab, built now where one is missing; progress goes to stderr."""
    from lab import toolchain

    return toolchain.ensure(console=console(stderr=True, markup=True))


def started_home() -> LabHome:
    """The lab's home; fails where no lab was ever started."""
    found = home()
    if not found.kubeconfig.exists():
        fail(NOT_STARTED, 1)
    return found


def variables() -> dict[str, str]:
    """The environment in which `pulumi`, `kubectl`, `argocd` and `bao` work against the lab."""
    from lab import environment

    return environment.variables(started_home(), tools())


def enter() -> None:
    """Make the lab's environment that of this process, as `fleet status --stack lab` needs it."""
    os.environ.update(variables())
