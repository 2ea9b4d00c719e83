from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.context import CHECKOUT
from lab.home import LabHome
from lab.private_tmp import private_tmp, sweep

BECOME = """
import os, sys
from pathlib import Path
from lab.home import LabHome
from lab.private_tmp import private_tmp_of_this_process
folder = private_tmp_of_this_process(LabHome(Path(sys.argv[1])))
os.execve("/bin/sh", ["sh", "-c", sys.argv[2]], {**os.environ, "TMPDIR": str(folder)})
"""
LEAVE = "echo token > $TMPDIR/kubeconfig; echo $TMPDIR; "


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    return LabHome(tmp_path / "lab").create()


def until(what: str, is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end, f"not within 10 s: {what}"
        time.sleep(0.02)


@contextmanager
def command(home: LabHome, script: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that becomes a shell with a TMPDIR of its own, which it prints first."""
    process = subprocess.Popen(
        [sys.executable, "-c", BECOME, str(home.root), LEAVE + script],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def killed_maker() -> int:
    """The pid of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        return process.pid


def test_only_the_user_may_enter_and_it_is_gone_after_a_failure(home: LabHome) -> None:
    def fails() -> None:
        with private_tmp(home) as folder:
            made.append(folder)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / "kubeconfig").write_text("token")
            raise KeyboardInterrupt

    made: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        fails()
    assert not made[0].exists()
    assert list(home.tmp.iterdir()) == []


def test_two_runs_at_once_have_one_each(home: LabHome) -> None:
    with private_tmp(home) as first:
        with private_tmp(home) as second:
            assert first != second
        assert first.is_dir()
        sweep(home)
        assert first.is_dir(), "its maker lives"


def test_sockets_fit_into_it(tmp_path: Path) -> None:
    home = LabHome(Path("/home/firstname.lastname/.local/state/fleet/lab"))
    (tmp_path / "tmp").mkdir()
    with private_tmp(LabHome(tmp_path)) as folder:
        path = home.tmp / folder.name
    assert len(f"{path}/pymp-abcdefgh/listener-abcdefgh") < 108


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -signal.SIGKILL)])
def test_it_goes_with_the_command_that_this_process_became(
    home: LabHome, script: str, code: int
) -> None:
    with command(home, f"read line; {script}") as (process, folder):
        assert (folder / "kubeconfig").is_file()
        process.communicate("go on\n")
        assert process.returncode == code
        until("its folder is gone", lambda: not folder.exists())


def test_the_waiting_process_holds_nothing_of_the_command(home: LabHome) -> None:
    with command(home, "exit 0") as (process, _):
        assert process.stdout
        assert process.stdout.read() == "", "else a pipe would stay open"


def test_what_a_killed_run_left_is_swept_away(home: LabHome) -> None:
    folder = home.tmp / f"run-{killed_maker()}-abc"
    folder.mkdir()
    (folder / "kubeconfig").touch()
    (home.tmp / "gitea-upload").mkdir()
    sweep(home)
    assert [one.name for one in home.tmp.iterdir()] == ["gitea-upload"]


@pytest.mark.parametrize(
    ("name", "kept"), [("pulumi", True), ("pulumi-resource-kubernetes", False)]
)
def test_a_command_that_outlived_its_killed_run_keeps_it_and_a_plugin_does_not(
    home: LabHome, name: str, kept: bool
) -> None:
    folder = home.tmp / f"run-{killed_maker()}-abc"
    folder.mkdir()
    program = home.root / name
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    with subprocess.Popen(
        [program], env={**os.environ, "TMPDIR": str(folder)}, stdin=subprocess.PIPE
    ) as process:
        until("it runs", lambda: name in Path(f"/proc/{process.pid}/cmdline").read_text())
        sweep(home)
        assert folder.exists() is kept
        process.kill()
    sweep(home)
    assert not folder.exists()


def test_what_was_begun_in_the_background_keeps_the_folder_until_it_ends(home: LabHome) -> None:
    """Its own TMPDIR may lie within, as a command's that makes one for each of its runs."""
    script = "mkdir $TMPDIR/own; TMPDIR=$TMPDIR/own sleep 60 >/dev/null & echo $!; read line"
    with command(home, script) as (process, folder):
        assert process.stdout
        background = int(process.stdout.readline())
        process.communicate("go on\n")
        time.sleep(0.5)
        sweep(home)
        assert folder.exists()
        os.kill(background, signal.SIGKILL)
        until("the next sweep removes it", lambda: sweep(home) or not folder.exists())


def test_a_folder_that_no_run_made_is_left(home: LabHome) -> None:
    (home.tmp / "run-abc").mkdir()
    sweep(home)
    assert (home.tmp / "run-abc").exists()
