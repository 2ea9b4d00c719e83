"""The one exception for what may go wrong in the lab."""

from __future__ import annotations


class LabError(Exception):
    """An expected failure, told in words for the person: what, where, and what to do about it."""
