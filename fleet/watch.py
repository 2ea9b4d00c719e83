"""`fleet status --wait`: ask again and again until all is good, or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from fleet.handover import Verdict
from fleet.render import as_progress, counts_line

Clock = Callable[[], float]
Sleep = Callable[[float], None]


def watch(
    ask: Callable[[], Verdict],
    out: Console,
    *,
    timeout: float,
    interval: float,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Verdict:
    """Ask until the verdict is good or `timeout` seconds have passed; return the last verdict.

    On a terminal counts and spokes are redrawn in place; in a pipe one line is printed whenever the counts change.
    """
    start = clock()
    if out.is_terminal:
        with Live(console=out, transient=True, auto_refresh=False) as live:
            return _poll(
                ask,
                lambda verdict: live.update(as_progress(verdict, out), refresh=True),
                start + timeout,
                interval,
                clock,
                sleep,
            )
    last = ""

    def say(verdict: Verdict) -> None:
        nonlocal last
        line = counts_line(verdict)
        if line != last:
            out.print(f"{clock() - start:5.0f} s  {line}")
            last = line

    return _poll(ask, say, start + timeout, interval, clock, sleep)


def _poll(
    ask: Callable[[], Verdict],
    show: Callable[[Verdict], None],
    deadline: float,
    interval: float,
    clock: Clock,
    sleep: Sleep,
) -> Verdict:
    while True:
        verdict = ask()
        show(verdict)
        left = deadline - clock()
        if verdict.good or left <= 0:
            return verdict
        sleep(min(interval, left))
