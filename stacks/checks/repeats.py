"""Finding what is there twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from stacks.model.errors import Problem

T = TypeVar("T")


def repeats(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[int, int, T]]:
    """Each item whose (non-empty) key an earlier one has: its index, the earlier one's, and the item."""
    seen: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        if (value := key(item)) and seen.setdefault(value, index) != index:
            yield index, seen[value], item


def repeated(where: str, words: Iterable[str]) -> Iterator[Problem]:
    """A Problem for each word that the list at `where` has twice."""
    for index, first, word in repeats(words, str):
        yield Problem(
            f"{where}[{index}]", f'"{word}" is there already, as {where}[{first}]; take one out'
        )
