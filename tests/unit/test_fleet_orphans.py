"""Plugins that outlived their run are told from all others, with real processes in the parts of CLI and plugins."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from fleet import orphans
from fleet.orphans import Orphan, end, engine_port, find, plugin_name

PLUGIN = "pulumi-resource-kubernetes"
ENGINE = """
import socket, subprocess, sys, time
server = socket.create_server(("127.0.0.1", 0))
address = f"127.0.0.1:{server.getsockname()[1]}"
words = [address if word == "ADDRESS" else word for word in sys.argv[1:]]
child = subprocess.Popen(words, process_group=0)
print(server.getsockname()[1], child.pid, flush=True)
time.sleep(600)
"""
SLEEP = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
HOST = """
import subprocess, sys, time
subprocess.Popen([sys.executable, sys.argv[0] + "-exec", "--monitor", "127.0.0.1:1", "--engine", sys.argv[-1], "."])
time.sleep(600)
"""
LISTEN = """
import socket, sys, time
print(flush=True)
server = socket.create_server(("127.0.0.1", int(sys.stdin.readline())))
print(flush=True)
time.sleep(600)
"""


class Stage:
    """Starts processes under the names of Pulumi's, and ends all that it started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[psutil.Process] = []

    def python_as(self, name: str) -> str:
        """A program of this name, which is Python: a link would not do, the system sees through it."""
        path = self._folder / name
        if not path.exists():
            shutil.copy(Path(sys.executable).resolve(), path)
        return str(path)

    def script(self, name: str, text: str) -> str:
        (self._folder / name).write_text(text)
        return str(self._folder / name)

    def start(self, *words: str, session: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            words,
            env={**os.environ, "PYTHONHOME": sys.base_prefix},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=session,
        )
        self.started.append(psutil.Process(process.pid))
        return process

    def engine(self, *plugin: str) -> tuple[subprocess.Popen[str], int, int]:
        """A CLI with one plugin; its process, its port and the plugin's pid."""
        process = self.start(self.python_as("pulumi"), "-c", ENGINE, *plugin)
        assert process.stdout
        port, pid = map(int, process.stdout.readline().split())
        self.started.append(psutil.Process(pid))
        return process, port, pid

    def orphan(self, *plugin: str) -> tuple[int, int]:
        """The port and the plugin's pid of a CLI that was killed."""
        process, port, pid = self.engine(*plugin)
        kill(process)
        return port, pid

    def clear(self) -> None:
        for process in self.started:
            with suppress(psutil.Error):
                for child in process.children(recursive=True):
                    child.kill()
                process.kill()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(orphans, "_SETTLE", 0)
    stage = Stage(tmp_path)
    yield stage
    stage.clear()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def found(pid: int) -> list[Orphan]:
    """What is said of this process: this machine may have orphans of its own."""
    return [orphan for orphan in find() if orphan.pid == pid]


def test_a_plugin_of_a_living_run_is_none(stage: Stage) -> None:
    process, _, pid = stage.engine(stage.python_as(PLUGIN), "-c", SLEEP, "ADDRESS")
    assert not found(pid)
    kill(process)
    (orphan,) = found(pid)
    assert (orphan.name, orphan.pid) == (PLUGIN, pid)
    assert end([orphan]) == []
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not found(pid)


def test_a_script_is_a_plugin_too_and_one_that_ignores_sigterm_is_killed(stage: Stage) -> None:
    _, pid = stage.orphan(sys.executable, stage.script(PLUGIN, DEAF), "ADDRESS")
    time.sleep(0.3)  # until it ignores the signal
    (orphan,) = found(pid)
    assert end([orphan], patience=0.3) == []
    assert not found(pid)


@pytest.mark.parametrize("alone", [False, True])
def test_the_language_host_and_the_program_below_it(stage: Stage, alone: bool) -> None:
    stage.script("pulumi-language-python-exec", SLEEP)
    script = stage.script("pulumi-language-python", HOST)
    process, _, pid = stage.engine(sys.executable, script, "ADDRESS")
    deadline = time.monotonic() + 10
    while not (children := psutil.Process(pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (program,) = children
    stage.started.append(program)
    while not program.cmdline()[1:]:  # until it has become the program
        time.sleep(0.02)
    assert not found(pid)
    assert not found(program.pid)
    if alone:  # as a language host does after five minutes, and the run goes on
        psutil.Process(pid).kill()
        while program.ppid() == pid:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not found(program.pid), "its engine lives"
    kill(process)
    if alone:
        assert [one.name for one in found(program.pid)] == ["pulumi-language-python-exec"]
        return
    left = [*found(pid), *found(program.pid)]
    assert [one.name for one in left] == ["pulumi-language-python", "pulumi-language-python-exec"]
    assert end(left) == []


def test_a_port_that_somebody_else_got(stage: Stage) -> None:
    port, pid = stage.orphan(stage.python_as(PLUGIN), "-c", SLEEP, "ADDRESS")
    with socket.create_server(("127.0.0.1", port)):
        assert found(pid)


def denied(kind: str) -> None:
    raise psutil.AccessDenied(msg=f"all {kind} connections")


@pytest.mark.parametrize("macos", [False, True])
@pytest.mark.parametrize("older", [True, False])
def test_a_port_on_which_a_cli_listens(
    stage: Stage, older: bool, macos: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is older than the plugin may be its engine after all, a younger one can't be."""
    if macos:
        monkeypatch.setattr(psutil, "net_connections", denied)

    def listener() -> subprocess.Popen[str]:
        time.sleep(0.05)  # the system tells births apart by hundredths of a second
        process = stage.start(stage.python_as("pulumi"), "-c", LISTEN)
        assert process.stdout
        process.stdout.readline()
        return process

    process = listener() if older else None
    port, pid = stage.orphan(stage.python_as(PLUGIN), "-c", SLEEP, "ADDRESS")
    process = process or listener()
    assert found(pid)
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{port}\n")
    process.stdin.flush()
    process.stdout.readline()
    assert bool(found(pid)) is not older
    kill(process)


@pytest.mark.parametrize("session", [False, True])
def test_a_plugin_that_a_living_program_started(stage: Stage, session: bool) -> None:
    process = stage.start(
        stage.python_as(PLUGIN), "-c", SLEEP, f"127.0.0.1:{_free_port()}", session=session
    )
    assert not found(process.pid)
    kill(process)


def test_one_that_was_started_to_be_attached_to(stage: Stage) -> None:
    _, pid = stage.orphan(stage.python_as(PLUGIN), "-c", SLEEP)
    assert not found(pid)


def test_another_user_s(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _, pid = stage.orphan(stage.python_as(PLUGIN), "-c", SLEEP, "ADDRESS")
    assert found(pid)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not found(pid)


@pytest.mark.parametrize(
    ("executable", "words", "name"),
    [
        (f"/p/{PLUGIN}", [PLUGIN, "127.0.0.1:1"], PLUGIN),
        ("/usr/bin/python3.11", ["python3", f"/p/{PLUGIN}", "127.0.0.1:1"], PLUGIN),
        ("/usr/bin/python3.11", ["python3", "-u", f"/p/{PLUGIN}"], PLUGIN),
        ("/p/pulumi-language-python", ["x"], "pulumi-language-python"),
        ("/store/4.34.2", [f"/p/{PLUGIN}", "127.0.0.1:1"], PLUGIN),
        ("/usr/bin/tail", ["tail", PLUGIN, "127.0.0.1:1"], ""),
        ("/usr/bin/python3.11", ["python3", "x.py", PLUGIN], ""),
        ("/usr/bin/python3.11", ["python3"], ""),
        ("/p/pulumi", ["pulumi", "up"], ""),
    ],
)
def test_plugin_name(executable: str, words: list[str], name: str) -> None:
    assert plugin_name(executable, words) == name


@pytest.mark.parametrize(
    ("words", "port"),
    [
        (["p", "127.0.0.1:4711"], 4711),
        (["p", "--tracing", "127.0.0.1:1", "127.0.0.1:4711"], 4711),
        (["p", "127.0.0.1:4711", "/folder"], 4711),
        (["e", "--monitor", "127.0.0.1:1", "--engine", "127.0.0.1:4711", "."], 4711),
        (["e", "--engine", "", "127.0.0.1:1"], None),
        (["p"], None),
        (["p", "http://127.0.0.1:4711"], None),
    ],
)
def test_engine_port(words: list[str], port: int | None) -> None:
    assert engine_port(words) == port


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
