"""Words out of git for people's eyes: what would steer a terminal or turn a line around is shown, not done."""

from __future__ import annotations

import re
from datetime import datetime

# Control characters, and those that embed, override or isolate a direction.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SIZES = ((86400, "d"), (3600, "h"), (60, "min"))
COMMIT_LENGTH = 8


def plain(text: str) -> str:
    """A text with each steering character as its code, `[U+202E]`."""
    return _STEERING.sub(lambda one: f"[U+{ord(one[0]):04X}]", text)


def age(since: datetime, at: datetime) -> str:
    """How long ago something was, in one unit: `3 d`, `5 h`, `12 min`."""
    passed = int((at - since).total_seconds())
    return next((f"{passed // size} {unit}" for size, unit in _SIZES if passed >= size), "now")


def tag(image: str) -> str:
    """The part of an image that says which: its tag or digest, else all of it."""
    last = image.rpartition("/")[2]
    return last.partition("@")[2] or last.partition(":")[2] or image
