"""A small process beside each lab that tidies up, and stops it: after its lifetime, or when its owner is gone.

It is run as ``python -m lab.janitor <home>`` and reads its orders anew every few seconds.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError
from lab.home import LabHome
from lab.private_tmp import sweep
from lab.process_identity import birth_of, is_same

PART = "janitor"
DEFAULT_LIFETIME = "12h"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_EVERY = 5.0
_LOG_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class Orders:
    """When to stop the lab."""

    deadline: float | None
    """Seconds since the epoch; ``None``: never."""
    owner: int | None = None
    """The lab ends with this process."""
    owner_birth: str = ""

    @classmethod
    def make(cls, lifetime: str, owner: int | None) -> Orders:
        """From a lifetime such as ``12h``, ``90m`` or ``0`` for ever; raises :class:`LabError`."""
        found = re.fullmatch(r"(\d+)([smhd]?)", lifetime.strip())
        if not found:
            raise LabError(f"FLEET_LAB_TTL is '{lifetime}'; give a time such as 12h, 90m or 0")
        seconds = int(found[1]) * _UNITS[found[2]]
        birth = birth_of(owner) if owner else ""
        return cls(time.time() + seconds if seconds else None, owner, birth or "")

    def due(self) -> str | None:
        """Why the lab is to stop now, or ``None``."""
        if self.deadline is not None and time.time() > self.deadline:
            return "its lifetime is over (FLEET_LAB_TTL)"
        if self.owner is not None and not is_same(self.owner, self.owner_birth):
            return f"its owner, process {self.owner}, is gone"
        return None

    def write(self, file: Path) -> None:
        """Give these orders."""
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(file)

    @classmethod
    def read(cls, file: Path) -> Orders:
        """The orders as they are now."""
        return cls(**json.loads(file.read_text()))


def orders_file(root: Path) -> Path:
    """Where a lab's janitor reads its orders."""
    return root / "janitor.json"


def main(root: Path) -> int:
    """Wait for the end, then stop the lab; returns the exit code."""
    while not (reason := Orders.read(orders_file(root)).due()):
        _trim_logs(root / "logs")
        sweep(LabHome(root))
        time.sleep(_EVERY)
    sys.stderr.write(f"{time.strftime('%F %T')} the lab stops: {reason}\n")
    sys.stderr.flush()
    # only now the heavy imports, in a process of their own that replaces this one
    os.execv(sys.executable, [sys.executable, "-m", "lab.shutdown", str(root)])  # noqa: S606


def _trim_logs(folder: Path) -> None:
    """Empty a log that grew too long; its writer appends, so it goes on from the start."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > _LOG_LIMIT:
            os.truncate(log, 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
