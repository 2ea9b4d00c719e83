"""What the user sees while the lab's tools are made: a live display, or plain lines when piped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from lab.toolchain.model import Tool


def duration(seconds: float) -> str:
    """A duration as people say it: ``45 s``, ``12 min``."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02} s" if whole < 600 else f"{round(whole / 60)} min"


class Estimate:
    """The time left, from the catalogue's build times and the pace of what is done so far."""

    def __init__(self, tools: Sequence[Tool], clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting = {tool.name: float(tool.seconds) for tool in tools}
        self._clock = clock
        self._expected = 0.0
        self._taken = 0.0
        self._current = 0.0
        self._started: float | None = None

    def start(self, tool: Tool) -> None:
        """A tool's build begins."""
        self._current = self._waiting.pop(tool.name)
        self._started = self._clock()

    def finish(self) -> float:
        """The build ends; answers how long it took."""
        took = self.elapsed()
        self._expected += self._current
        self._taken += took
        self._started = None
        return took

    def elapsed(self) -> float:
        """How long the current build has been running."""
        return 0.0 if self._started is None else self._clock() - self._started

    def left(self) -> float:
        """Seconds until everything is there."""
        # a minute of a priori trust in the catalogue, so that one quick tool doesn't sway it
        pace = (self._taken + 60) / (self._expected + 60)
        current = 0.0 if self._started is None else self._current * pace - self.elapsed()
        return sum(self._waiting.values()) * pace + max(current, 0.0)


class BuildProgress:
    """Shows which tool is being made, for how long, and how long all of it will still take."""

    def __init__(self, console: Console, tools: Sequence[Tool]) -> None:
        self._console = console
        self._total = len(tools)
        self._done = 0
        self._estimate = Estimate(tools)

    @contextmanager
    def step(self, tool: Tool, verb: str) -> Iterator[None]:
        """Show one tool being made, and that it is there once the block ends well."""
        self._done += 1
        label = tool.label
        self._estimate.start(tool)
        if self._console.is_terminal:
            with Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=10),
                _TimeColumn(self._estimate),
                console=self._console,
                transient=True,
            ) as display:
                text = f"{verb} {label} ({self._done} of {self._total})"
                display.add_task(text, total=self._total, completed=self._done - 1)
                yield
        else:
            self._say(f"{verb} {label} ({self._done} of {self._total}), {self._left()}")
            yield
        took = self._estimate.finish()
        self._say(f"ready: {label} in {duration(took)}, {self._left()}")

    def _left(self) -> str:
        left = self._estimate.left()
        return f"about {duration(left)} left" if left >= 1 else "nothing left to make"

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _TimeColumn(ProgressColumn):
    """Elapsed time of the current tool and the estimate for the rest."""

    def __init__(self, estimate: Estimate) -> None:
        super().__init__()
        self._estimate = estimate

    def render(self, task: Task) -> Text:
        elapsed, left = self._estimate.elapsed(), self._estimate.left()
        return Text(f"{duration(elapsed)}, all in {duration(left)}")
