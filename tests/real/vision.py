"""How different colours are, to all eyes: WCAG's contrast, and the distance for people without one kind of cone."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 255, as a style sheet has them."""

# Machado, Oliveira and Fernandes 2009, severity 1.0: what Chromium's own emulation stands on, too.
VISIONS: dict[str, tuple[Colour, Colour, Colour]] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def colour(text: str) -> tuple[Colour, float]:
    """A colour as `getComputedStyle` has it, and how opaque it is."""
    found = [float(one) for one in re.findall(r"[\d.]+", text)]
    assert text.startswith("rgb"), text
    return (found[0], found[1], found[2]), (found[3] if len(found) > 3 else 1.0)


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2's contrast ratio."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def distance(one: Colour, other: Colour, vision: str) -> float:
    """CIE's ΔE 1976 of two colours as this vision has them: 2.3 is just seen, 10 at a glance."""
    return math.dist(_lab(_seen(one, vision)), _lab(_seen(other, vision)))


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _linear(given: Colour) -> list[float]:
    return [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (one / 255 for one in given)
    ]


def _luminance(given: Colour) -> float:
    return _product((0.2126, 0.7152, 0.0722), _linear(given))


def _seen(given: Colour, vision: str) -> list[float]:
    linear = _linear(given)
    return [min(1.0, max(0.0, _product(row, linear))) for row in VISIONS[vision]]


def _lab(linear: list[float]) -> Colour:
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.95047, 1.0, 1.08883)
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (_product(row, linear) / w for row, w in zip(rows, white, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)
