"""One run of Pulumi on a copy of the program, and what it took: what the benchmarks are made of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lab.home import LabHome

REPO = Path(__file__).parents[2]
_PARTS = ("Pulumi.yaml", "__main__.py", "stacks", "components", "live", "requirements.txt")


@dataclass(frozen=True)
class Program:
    """A copy of a checkout's program, for one stack."""

    folder: Path
    stack: str

    @property
    def stack_file(self) -> Path:
        """Its stack file, to be written by the benchmark."""
        return self.folder / "stacks" / f"Pulumi.{self.stack}.yaml"

    def init(self) -> None:
        """Make the stack, with a salt of its own. Raises RuntimeError."""
        if self.stack_file.exists():
            # An older checkout's is of another passphrase.
            lines = self.stack_file.read_text().splitlines(keepends=True)
            kept = [one for one in lines if not one.startswith("encryptionsalt:")]
            self.stack_file.write_text("".join(kept))
        made = [
            "pulumi",
            "stack",
            "init",
            self.stack,
            "--secrets-provider",
            "passphrase",
            "--no-select",
        ]
        if code := subprocess.call(made, cwd=self.folder, stdout=sys.stderr):
            raise RuntimeError(f"pulumi stack init ended with {code}; see above")

    def pulumi(self, *arguments: str) -> dict[str, Any]:
        """Run a command of the stack: seconds, and processes and memory at their highest. Raises RuntimeError."""
        found = self._run(*arguments)
        if code := found.pop("code"):
            raise RuntimeError(f"pulumi {arguments[0]} ended with {code}; see above")
        return found

    def clean_up(self) -> None:
        """Take the stack away, as far as that goes: what went wrong before is what the reader is to see."""
        self._run("destroy", "--yes", "--skip-preview", "--ignore-protect")
        self._run("stack", "rm", "--yes", "--force", "--preserve-config")

    def _run(self, *arguments: str) -> dict[str, Any]:
        started = time.monotonic()
        process = subprocess.Popen(
            ["pulumi", *arguments, "--stack", self.stack, "--non-interactive"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        seen = {"processes": 0, "plugins": 0, "pss_mib": 0}
        watcher = threading.Thread(target=_watch, args=(process, seen))
        watcher.start()
        code = process.wait()
        seconds = round(time.monotonic() - started, 1)
        watcher.join()
        return {"code": code, "seconds": seconds, **seen}


@contextmanager
def program(stack: str, source: Path = REPO) -> Iterator[Program]:
    """A copy of the program in the checkout `source`, in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as name:
        folder = Path(name) / "program"
        folder.mkdir()
        for part in _PARTS:
            if (source / part).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source / part, folder / part, ignore=ignored)
            elif (source / part).exists():  # an older checkout may have fewer
                shutil.copy(source / part, folder / part)
        for file in (source / "examples").glob("Pulumi.*.yaml"):
            shutil.copy(file, folder / "stacks" / file.name)
        yield Program(folder, stack)


def state(home: LabHome, stack: str) -> tuple[float, list[dict[str, Any]]]:
    """The state of a stack of the lab: MB (10^6 bytes), and its resources."""
    file = home.pulumi_state / ".pulumi" / "stacks" / "fleet" / f"{stack}.json"
    resources = json.loads(file.read_text())["checkpoint"]["latest"]["resources"]
    return round(file.stat().st_size / 1e6, 2), resources


def _watch(process: subprocess.Popen[bytes], seen: dict[str, int]) -> None:
    tree = psutil.Process(process.pid)
    while process.poll() is None:
        memory = processes = plugins = 0
        try:
            members = [tree, *tree.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in members:
            try:
                memory += one.memory_full_info().pss
                plugins += any("pulumi-resource-" in word for word in one.cmdline()[:2])
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            processes += 1
        seen["processes"] = max(seen["processes"], processes)
        seen["plugins"] = max(seen["plugins"], plugins)
        seen["pss_mib"] = max(seen["pss_mib"], memory // 2**20)
        time.sleep(0.3)
