"""The Pulumi project that the lab is deployed from: the checkout's program, with stack files of the lab's own.

Nothing that the lab writes, a stack's salt above all, is in the checkout; and a person may change these stack files as
their own. The program is the checkout's itself, by links.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from lab.context import CHECKOUT
from lab.home import LabHome

EXAMPLES = CHECKOUT / "examples"
_PROGRAM = ("Pulumi.yaml", "__main__.py", "components", "live", "requirements.txt")
_STACKS = "stacks"
_SALT = "encryptionsalt"


def ensure(home: LabHome) -> Path:
    """The project's folder, with links to all of the checkout's program as it is now."""
    stacks = home.project / _STACKS
    stacks.mkdir(mode=0o700, parents=True, exist_ok=True)
    links = {home.project / name: CHECKOUT / name for name in _PROGRAM}
    # The folder is a package of the program too, and so no link. What a team has for stack files in its checkout is
    # none of the lab's.
    package = [one for one in (CHECKOUT / _STACKS).iterdir() if not one.match("Pulumi.*")]
    links |= {stacks / one.name: one for one in package}
    # Where Pulumi's own language host looks for the libraries.
    links[home.project / ".venv"] = Path(sys.prefix)
    for link, target in links.items():
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return home.project


def stack_file(home: LabHome, stack: str) -> Path:
    """The lab's own stack file of `stack`."""
    return home.project / _STACKS / f"Pulumi.{stack}.yaml"


def example(stack: str) -> str:
    """The example that a stack file of the lab is a copy of."""
    return (EXAMPLES / f"Pulumi.{stack}.yaml").read_text()


def ensure_stack_file(home: LabHome, stack: str) -> bool:
    """Bring the stack file up to its example, unless a person has changed it; whether it is as the example is.

    It keeps its salt, which Pulumi has put in.
    """
    file, copied = stack_file(home, stack), home.project / "copied" / f"Pulumi.{stack}.yaml"
    wanted = example(stack)
    before = copied.read_text() if copied.exists() else ""
    if file.exists() and before and _config(file.read_text()) != _config(before):
        return _config(file.read_text()) == _config(wanted)
    copied.parent.mkdir(mode=0o700, exist_ok=True)
    copied.write_text(wanted)
    write(home, stack, wanted)
    return True


def write(home: LabHome, stack: str, text: str) -> None:
    """Make `text` the stack file, with the salt that Pulumi has put into the one before."""
    file = stack_file(home, stack)
    salt = yaml.safe_load(file.read_text()).get(_SALT) if file.exists() else None
    file.write_text(f"{text.rstrip()}\n{_SALT}: {salt}\n" if salt else text)


def _config(text: str) -> object:
    try:
        return yaml.safe_load(text)["config"]
    except (yaml.YAMLError, TypeError, KeyError):
        return None
