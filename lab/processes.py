"""Host processes: started apart from us, known by a record, ended only if they are ours."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

import httpx
import psutil

from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.process_identity import MARK, birth_of, is_same, marked

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Those this very process started: they must be reaped, or the dead would look alive."""
_LOG_LIMIT = 16 * 2**20
_AGAIN, _KILL = 1.0, 10.0
"""Seconds until the second SIGTERM (an API server otherwise drains for a minute) and SIGKILL."""


class Start(Enum):
    """What :meth:`Processes.start` found and did."""

    KEPT = "running already"
    STARTED = "started"
    RESTARTED = "had died and was restarted"
    CHANGED = "restarted with new settings"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process of the lab: what to run and with which environment."""

    name: str
    command: Sequence[str | Path]
    """No secrets here: everyone on the machine can read it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """All variables of the process; nothing is inherited."""
    cwd: Path | None = None


@dataclass(frozen=True, kw_only=True)
class PartState:
    """How a part is: ``state`` is ``running``, ``died`` or ``not started``."""

    name: str
    state: str
    pid: int | None = None
    hint: str = ""
    """For a dead part, the last line of its log."""
    log: Path | None = None


@dataclass(frozen=True)
class _Record:
    pid: int
    birth: str
    started: float
    settings: str


class Processes:
    """The processes of one lab."""

    def __init__(self, home: LabHome) -> None:
        self.home = home

    def start(self, part: Part) -> Start:
        """Start a part unless it runs; one whose settings changed is ended and started anew."""
        settings = _digest(part)
        record = self._record(part.name)
        alive = record is not None and is_same(record.pid, record.birth)
        if record and alive and record.settings == settings:
            return Start.KEPT
        if alive:
            self.stop([part.name])
        self._spawn(part, settings)
        if record is None:
            return Start.STARTED
        return Start.CHANGED if alive else Start.RESTARTED

    def is_running(self, name: str) -> bool:
        """Whether the part was started by us and still runs."""
        record = self._record(name)
        return record is not None and is_same(record.pid, record.birth)

    def state(self, name: str) -> PartState:
        """How this part is."""
        record, log = self._record(name), self.log(name)
        if record is None:
            return PartState(name=name, state="not started")
        if is_same(record.pid, record.birth):
            return PartState(name=name, state="running", pid=record.pid, log=log)
        hint = (self.tail(name, 1) or ["its log is empty"])[0]
        return PartState(name=name, state="died", pid=record.pid, hint=hint, log=log)

    def names(self) -> list[str]:
        """Every part that was started and not stopped, in the order of the starts."""
        records = {path.stem: self._record(path.stem) for path in self.home.pids.glob("*.json")}
        known = [(record.started, name) for name, record in records.items() if record]
        return [name for _, name in sorted(known)]

    def log(self, name: str) -> Path:
        """Where the part's output goes."""
        return self.home.logs / f"{name}.log"

    def tail(self, name: str, lines: int) -> list[str]:
        """The last lines of a part's log that aren't empty."""
        try:
            with self.log(name).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 16_384))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return []
        return [line for line in text.splitlines() if line.strip()][-lines:]

    def wait_ready(self, name: str, probe: Callable[[], object], timeout: float) -> None:
        """Wait until the probe says yes; it may also raise ``httpx`` errors or ``OSError``.

        Raises :class:`LabError` as soon as the process dies, or after ``timeout`` seconds, with
        the end of the log.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                if probe():
                    return
            except (httpx.HTTPError, OSError):
                pass
            if not self.is_running(name):
                raise LabError(self._epitaph(name, "died while starting"))
            if time.monotonic() > end:
                raise LabError(self._epitaph(name, f"was not ready after {timeout:.0f} s"))
            time.sleep(0.1)

    def stop(self, names: Iterable[str]) -> None:
        """End these parts, the last one first and all at the same time; returns when gone."""
        records = {name: record for name in names if (record := self._record(name))}
        latest = sorted(records.values(), key=lambda record: record.started, reverse=True)
        end_all([(record.pid, record.birth) for record in latest])
        for name in records:
            self.forget(name)

    def forget(self, name: str) -> None:
        """Drop the record of a part, without ending it."""
        self._path(name).unlink(missing_ok=True)

    def leftovers(self) -> list[int]:
        """Pids of processes that carry this lab's mark, whether a record knows them or not."""
        return marked(str(self.home.root))

    def _spawn(self, part: Part, settings: str) -> None:
        log = self.log(part.name)
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        mark = {MARK: f"{self.home.root}:{part.name}"}
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            child = subprocess.Popen(
                [str(word) for word in part.command],
                env={**part.env, **mark},
                cwd=part.cwd or self.home.tmp,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in the terminal is not for it
            )
        except OSError as error:
            raise LabError(f"{part.name} can't be started: {error}") from error
        finally:
            os.close(descriptor)
        _CHILDREN[child.pid] = child
        record = _Record(child.pid, birth_of(child.pid) or "", time.time(), settings)
        write_private(self._path(part.name), json.dumps(asdict(record)))

    def _record(self, name: str) -> _Record | None:
        try:
            return _Record(**json.loads(self._path(name).read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise LabError(f"{self._path(name)} is damaged; remove it: {error}") from error

    def _path(self, name: str) -> Path:
        return self.home.pids / f"{name}.json"

    def _epitaph(self, name: str, what: str) -> str:
        lines = "\n".join(f"  {line}" for line in self.tail(name, 5))
        return f"{name} {what}. The end of its log {self.log(name)}:\n{lines or '  (empty)'}"


def end_all(processes: Sequence[tuple[int, str]]) -> None:
    """End processes, each given as pid and birth: asked twice, then killed; none that isn't it."""
    start, asked = time.monotonic(), 0
    while alive := [spot for spot in processes if is_same(*spot)]:
        passed = time.monotonic() - start
        due = 1 + (passed > _AGAIN) + (passed > _KILL)
        if due > asked:
            asked = due
            for pid, _ in alive:
                try:
                    os.kill(pid, signal.SIGKILL if due > 2 else signal.SIGTERM)
                except ProcessLookupError:
                    continue
        if passed > _KILL + 10:
            raise LabError(f"processes {[pid for pid, _ in alive]} won't end, even when killed")
        time.sleep(0.05)
        reap()


def reap() -> None:
    """Collect the exit status of children that ended."""
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is not None:
            _CHILDREN.pop(pid, None)


def memory(pids: Iterable[int]) -> int:
    """Bytes of memory that these processes hold, without what they share (where that's known)."""
    total = 0
    for pid in pids:
        try:
            process = psutil.Process(pid)
            total += getattr(process.memory_full_info(), "pss", process.memory_info().rss)
        except psutil.Error:
            continue
    return total


def _digest(part: Part) -> str:
    # PATH is that of whoever starts the lab, and no reason to restart what runs
    env = sorted((name, value) for name, value in part.env.items() if name != "PATH")
    content = [[str(word) for word in part.command], env, str(part.cwd)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
