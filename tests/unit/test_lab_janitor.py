from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import janitor
from lab.context import CHECKOUT
from lab.errors import LabError
from lab.home import LabHome
from lab.janitor import Orders
from lab.processes import Part, Processes


@pytest.mark.parametrize(
    ("lifetime", "seconds"), [("12h", 43_200), ("90m", 5_400), ("45", 45), ("2d", 172_800)]
)
def test_a_lifetime_ends_at_its_deadline(lifetime: str, seconds: int) -> None:
    deadline = Orders.make(lifetime, None).deadline
    assert deadline == pytest.approx(time.time() + seconds, abs=5)


def test_a_lifetime_of_zero_never_ends() -> None:
    assert Orders.make("0", None) == Orders(None)
    assert Orders(None).due() is None


def test_a_lifetime_that_is_none_says_what_one_looks_like() -> None:
    with pytest.raises(LabError, match="FLEET_LAB_TTL is 'forever'; give a time such as 12h"):
        Orders.make("forever", None)


def test_it_is_due_after_the_deadline() -> None:
    assert "FLEET_LAB_TTL" in str(Orders(time.time() - 1).due())
    assert Orders(time.time() + 60).due() is None


def test_it_is_due_when_the_owner_is_gone() -> None:
    with subprocess.Popen(["sleep", "300"]) as owner:
        orders = Orders.make("0", owner.pid)
        assert orders.due() is None
        owner.kill()
    assert orders.due() == f"its owner, process {owner.pid}, is gone"


def test_orders_survive_the_file(tmp_path: Path) -> None:
    orders = Orders.make("1h", os.getpid())
    orders.write(tmp_path / "janitor.json")
    assert Orders.read(tmp_path / "janitor.json") == orders


def test_a_lab_that_is_due_stops_itself(tmp_path: Path) -> None:
    home = LabHome(tmp_path).create()
    processes = Processes(home)
    processes.start(Part(name="part", command=["sleep", "300"], env={"PATH": os.environ["PATH"]}))
    Orders(time.time() - 1).write(janitor.orders_file(home.root))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    command: list[str | Path] = [sys.executable, "-m", "lab.janitor", home.root]
    processes.start(Part(name=janitor.PART, command=command, env=env, cwd=CHECKOUT))
    end = time.monotonic() + 30
    while processes.names():
        assert time.monotonic() < end, processes.tail(janitor.PART, 5)
        time.sleep(0.05)
    assert "its lifetime is over" in processes.log(janitor.PART).read_text()
