from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from lab.errors import LabError
from lab.home import LabHome
from lab.process_identity import birth_of, is_same
from lab.processes import Part, Processes, Start

ENV = {"PATH": os.environ["PATH"]}


def shell(name: str, script: str, **env: str) -> Part:
    return Part(name=name, command=["sh", "-c", script], env={**ENV, **env})


def sleeper(name: str = "sleeper", seconds: int = 300) -> Part:
    return Part(name=name, command=["sleep", str(seconds)], env=ENV)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(LabHome(tmp_path / "lab").create())
    yield found
    found.stop(found.names())


def pid_of(processes: Processes, name: str) -> int:
    pid = processes.state(name).pid
    assert pid is not None
    return pid


def kill(processes: Processes, name: str) -> None:
    os.kill(pid_of(processes, name), signal.SIGKILL)
    while processes.is_running(name):
        time.sleep(0.01)


def test_a_part_runs_apart_from_us_until_it_is_stopped(processes: Processes) -> None:
    assert processes.start(sleeper()) is Start.STARTED
    pid = pid_of(processes, "sleeper")
    assert os.getsid(pid) == pid, "a session of its own: Ctrl-C is not for it"
    assert processes.state("sleeper").state == "running"
    processes.stop(["sleeper"])
    assert birth_of(pid) is None
    assert processes.state("sleeper").state == "not started"


def test_starting_twice_keeps_what_runs(processes: Processes) -> None:
    processes.start(sleeper())
    pid = pid_of(processes, "sleeper")
    again = Processes(processes.home)  # another run of the command
    assert again.start(sleeper()) is Start.KEPT
    assert pid_of(again, "sleeper") == pid


def test_another_path_is_no_reason_to_restart(processes: Processes) -> None:
    processes.start(shell("part", "sleep 300"))
    assert processes.start(shell("part", "sleep 300", PATH=f"/x:{ENV['PATH']}")) is Start.KEPT


def test_new_settings_restart_a_part(processes: Processes) -> None:
    processes.start(sleeper())
    before = pid_of(processes, "sleeper")
    assert processes.start(sleeper(seconds=301)) is Start.CHANGED
    assert pid_of(processes, "sleeper") != before
    assert birth_of(before) is None


def test_a_dead_part_is_told_with_the_last_line_of_its_log(processes: Processes) -> None:
    processes.start(shell("part", "echo listening; echo disk full; sleep 300"))
    processes.wait_ready("part", lambda: len(processes.tail("part", 2)) == 2, 5)
    kill(processes, "part")
    state = processes.state("part")
    assert (state.state, state.hint) == ("died", "disk full")


def test_a_dead_part_is_restarted(processes: Processes) -> None:
    processes.start(sleeper())
    kill(processes, "sleeper")
    assert processes.start(sleeper()) is Start.RESTARTED
    assert processes.is_running("sleeper")


def test_a_reused_pid_is_not_taken_for_ours(processes: Processes) -> None:
    with subprocess.Popen(["sleep", "30"]) as stranger:
        time.sleep(0.05)  # births are told apart by hundredths of a second
        processes.start(sleeper())
        record = processes.home.pids / "sleeper.json"
        ours = json.loads(record.read_text())
        record.write_text(json.dumps({**ours, "pid": stranger.pid}))
        assert processes.state("sleeper").state == "died"
        processes.stop(["sleeper"])
        assert stranger.poll() is None, "a stranger with our pid was ended"
        stranger.kill()
        os.kill(ours["pid"], signal.SIGKILL)


def test_waiting_ends_as_soon_as_the_process_dies(processes: Processes) -> None:
    processes.start(shell("part", "echo starting; echo 'bad flag: --x' >&2; exit 3"))
    start = time.monotonic()
    with pytest.raises(LabError) as error:
        processes.wait_ready("part", lambda: False, 30)
    assert time.monotonic() - start < 5
    message = str(error.value)
    assert "part died while starting" in message
    assert "bad flag: --x" in message
    assert str(processes.log("part")) in message


def test_waiting_has_an_end(processes: Processes) -> None:
    processes.start(shell("part", "echo still busy; sleep 300"))
    with pytest.raises(LabError, match=r"part was not ready after 0 s.*\n  still busy"):
        processes.wait_ready("part", lambda: not processes.is_running("part"), 0.3)


def test_a_probe_may_fail_until_it_succeeds(processes: Processes) -> None:
    processes.start(sleeper())
    outcomes: Iterator[Exception | bool] = iter(
        [ConnectionRefusedError(), httpx.ConnectError("no"), False, True]
    )

    def probe() -> bool:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    processes.wait_ready("sleeper", probe, 10)


def test_a_second_sigterm_comes_after_a_second(processes: Processes) -> None:
    # like an API server: it drains at the first, and goes at the second
    script = (
        "trap 'test -n \"$again\" && exit 0; again=1' TERM; echo up; while :; do sleep 0.1; done"
    )
    processes.start(shell("stubborn", script))
    processes.wait_ready("stubborn", lambda: processes.tail("stubborn", 1) == ["up"], 5)
    start = time.monotonic()
    processes.stop(["stubborn"])
    assert 0.9 < time.monotonic() - start < 6


def test_many_are_stopped_at_the_same_time(processes: Processes) -> None:
    slow = "trap 'sleep 0.8; exit' TERM; echo up; while :; do sleep 0.05; done"
    names = [f"part-{number}" for number in range(4)]
    for name in names:
        processes.start(shell(name, slow))
    for name in names:
        processes.wait_ready(name, partial(processes.tail, name, 1), 5)
    start = time.monotonic()
    processes.stop(names)
    assert time.monotonic() - start < 2.5
    assert processes.names() == []


def test_parts_are_listed_in_the_order_of_their_starts(processes: Processes) -> None:
    for name in ("etcd", "api", "controllers"):
        processes.start(sleeper(name))
    assert processes.names() == ["etcd", "api", "controllers"]


def test_what_a_part_leaves_behind_is_found_by_the_labs_mark(processes: Processes) -> None:
    processes.start(shell("part", "setsid sleep 300 & echo $!; exit 0"))
    while processes.is_running("part"):
        time.sleep(0.01)
    orphan = int(processes.tail("part", 1)[0])
    assert processes.leftovers() == [orphan]
    os.kill(orphan, signal.SIGKILL)


def test_nothing_of_our_environment_reaches_a_part(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    processes.start(shell("part", "env; exit 0"))
    while processes.is_running("part"):
        time.sleep(0.01)
    assert "HTTPS_PROXY" not in processes.log("part").read_text()


def test_a_missing_program_is_told(processes: Processes) -> None:
    with pytest.raises(LabError, match=r"part can't be started: .*no-such-program"):
        processes.start(Part(name="part", command=["/no-such-program"]))


def test_our_own_birth_is_ours() -> None:
    birth = birth_of(os.getpid())
    assert birth is not None
    assert is_same(os.getpid(), birth)
    assert not is_same(os.getpid(), "")
    assert not is_same(os.getpid(), f"{birth}0")


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert birth_of(child.pid) is None
    child.wait()
