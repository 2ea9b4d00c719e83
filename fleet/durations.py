"""Durations as stack files and Kubernetes write them: `2160h`, `1h30m`."""

from __future__ import annotations

import re

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> int:
    """The whole seconds of a duration. Raises ValueError for anything else."""
    if not text or _PARTS.sub("", text):
        raise ValueError(f'"{text}" is no duration: write a number and ms, s, m or h, e.g. "2160h"')
    return int(sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(text)))


def spoken(whole: int) -> str:
    """Seconds in the largest unit that they fill evenly: `24h`, `90m`, `61s`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"
