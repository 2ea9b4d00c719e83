from __future__ import annotations

import pytest

from fleet.durations import seconds, spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2160h", 7_776_000), ("1h30m", 5400), ("0.5h", 1800), ("61s", 61), ("1500ms", 1), ("0s", 0)],
)
def test_seconds(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "90d", "1 h", "h", "12", "-1h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("whole", "expected"), [(86400, "24h"), (5400, "90m"), (61, "61s"), (0, "0s")]
)
def test_spoken(whole: int, expected: str) -> None:
    assert spoken(whole) == expected
