"""What every part of the lab needs to start: its home, the tools, ports and processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.home import LabHome
from lab.ports import PortBook
from lab.processes import Part, Processes, Start
from lab.report import Reporter
from lab.toolchain import Toolbox

CHECKOUT = Path(__file__).resolve().parent.parent
"""The folder of the Pulumi program that the lab runs."""


@dataclass(frozen=True)
class Lab:
    """One lab at work."""

    home: LabHome
    toolbox: Toolbox
    reporter: Reporter

    @cached_property
    def processes(self) -> Processes:
        """The lab's processes."""
        return Processes(self.home)

    @cached_property
    def ports(self) -> PortBook:
        """The lab's ports."""
        return PortBook(self.home.ports)

    def port(self, name: str, *, of: str, pinned: bool = False) -> int:
        """A port of the part ``of``: kept while it runs, settled anew when it is to be started."""
        if self.processes.is_running(of):
            return self.ports.get(name)
        return self.ports.settle(name, pinned=pinned)

    def base_env(self, **extra: str | Path) -> dict[str, str]:
        """The environment of a part: little more than PATH, and nothing of the person's own."""
        path = os.pathsep.join((self.toolbox.path_env(), os.environ.get("PATH", os.defpath)))
        own = {"PATH": path, "HOME": self.home.tmp, "TMPDIR": self.home.tmp, "LANG": "C.UTF-8"}
        return {name: str(value) for name, value in {**own, **extra}.items()}

    def start(self, part: Part) -> Start:
        """Start a part unless it runs; a part found dead is named to the person."""
        outcome = self.processes.start(part)
        if outcome in (Start.RESTARTED, Start.CHANGED):
            self.reporter.note(f"{part.name} {outcome.value}")
        return outcome
