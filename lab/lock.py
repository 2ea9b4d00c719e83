"""One run at a time starts and stops the parts of a lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from lab.errors import LabError
from lab.home import LabHome

_WAIT = 600
"""Seconds to wait for the other run."""


@contextmanager
def locked(home: LabHome) -> Iterator[None]:
    """Keep other runs out; waits for the one at work, and raises :class:`LabError` in the end.

    It can't be taken twice by one run.
    """
    lock = FileLock(home.lock)
    try:
        lock.acquire(timeout=_WAIT)
    except Timeout as error:
        raise LabError(
            f"another 'fleet lab' has been at work on {home.root} for {_WAIT // 60} minutes; "
            "wait for it or end it"
        ) from error
    try:
        yield
    finally:
        lock.release()
