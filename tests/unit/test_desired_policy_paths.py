"""Paths of Vault policies, held against every short path that there is."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

from stacks.desired.policy_paths import covers, overlap

PARTS = ("a", "ab", "b")
PATHS = ["/".join(parts) for length in (1, 2, 3) for parts in product(PARTS, repeat=length)]
PLAIN = ["/".join(parts) for length in (1, 2) for parts in product(("a", "ab", "+"), repeat=length)]
PATTERNS = [
    *PLAIN,
    *(f"{one}/*" for one in PLAIN),
    *(f"{one}*" for one in PLAIN if not one.endswith("+")),
    "*",
]


def test_two_overlap_where_both_cover_a_path() -> None:
    taken = {one: {path for path in PATHS if covers(one, path)} for one in PATTERNS}
    for one, other in combinations_with_replacement(PATTERNS, 2):
        assert overlap(one, other) == overlap(other, one) == bool(taken[one] & taken[other]), (
            f"{one} and {other}"
        )


def test_a_dot_is_a_dot() -> None:
    assert covers("a.b/*", "a.b/c")
    assert not covers("a.b/*", "axb/c")
