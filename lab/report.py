"""How the lab tells what it does: a line per phase, with a spinner where there is a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Reporter:
    """Prints phases and notes to a console and keeps how long each phase took."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.timings: dict[str, float] = {}
        """Seconds per finished phase."""
        self._running: list[str] = []
        self._status: Status | None = None
        self._lock = threading.Lock()

    @contextmanager
    def phase(self, name: str, *, spinner: bool = True) -> Iterator[None]:
        """A phase, which may run beside others; ``spinner`` off where it prints by itself."""
        start = time.monotonic()
        if spinner:
            self._change(add=name)
        else:
            self._say(f"  {name} …")
        try:
            yield
        except BaseException:
            self._change(remove=name)
            self._say(f"[red]✗[/] {escape(name)}")
            raise
        self._change(remove=name)
        self.timings[name] = time.monotonic() - start
        self._say(f"[green]✓[/] {escape(name)}  [dim]{self.timings[name]:.1f} s[/]")

    def note(self, text: str) -> None:
        """One line about something worth knowing."""
        self._say(f"  {escape(text)}")

    def _say(self, markup: str) -> None:
        self.console.print(markup, highlight=False, soft_wrap=True)

    def _change(self, *, add: str | None = None, remove: str | None = None) -> None:
        with self._lock:
            if add:
                self._running.append(add)
            if remove in self._running:
                self._running.remove(remove)
            text = escape(" · ".join(self._running))
            if not self.console.is_terminal:
                return
            if self._status and text:
                self._status.update(text)
            elif self._status:
                self._status.stop()
                self._status = None
            elif text:
                self._status = self.console.status(text)
                self._status.start()
