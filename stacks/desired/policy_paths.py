"""Paths of Vault policies: what they take in. Pure."""

from __future__ import annotations

import re


def covers(pattern: str, path: str) -> bool:
    """Whether a path of a Vault policy takes in `path`: `*` at its end is anything, `+` is one segment."""
    whole = re.escape(pattern.removesuffix("*")).replace(r"\+", "[^/]+")
    return re.fullmatch(whole + (".*" if pattern.endswith("*") else ""), path) is not None


def overlap(one: str, other: str) -> bool:
    """Whether there is anything that two paths of Vault policies both take in."""
    mine, theirs = one.split("/"), other.split("/")
    for first, second in zip(mine, theirs, strict=False):
        if "+" in (first, second):
            continue
        if first.endswith("*") or second.endswith("*"):
            # The rest is anything, so that only what stands before the star can keep them apart.
            return covers(first, second.removesuffix("*")) or covers(
                second, first.removesuffix("*")
            )
        if first != second:
            return False
    longer = len(mine) - len(theirs)
    return longer == 0 or (theirs if longer > 0 else mine)[-1].endswith("*")
