"""The nearest of Outlook's 25 category colours. Pure.

Graph names the presets by number only (BEHAVIOUR 7.2 has their order); the values are those that Outlook shows. Distance is CIE 1976 in L*a*b*,
so that a dark blue is nearer to blue than to black.
"""

from __future__ import annotations

import re

PRESETS = (
    "#E7A1A2", "#F9BA89", "#F7DD8F", "#FCFA90", "#78D168", "#9FDCC9", "#C6D2B0", "#9DB7E8", "#B5A1E2", "#DAAEC2", "#DAD9DC", "#6B7994", "#BFBFBF",
    "#6F6F6F", "#4F4F4F", "#C11A25", "#E2620D", "#C79930", "#B9B300", "#368F2B", "#329B7A", "#778B45", "#2858A5", "#5C3FA3", "#93446B",
)  # fmt: skip
_HEX = re.compile("#[0-9A-Fa-f]{6}")
_WHITE = (0.95047, 1.0, 1.08883)  # D65


def is_colour(text: str) -> bool:
    """Is it `#RRGGBB`?"""
    return bool(_HEX.fullmatch(text))


def nearest(colour: str) -> str:
    """The preset (`preset0` .. `preset24`) nearest to `#RRGGBB`. Raises ValueError for anything else."""
    mine = lab(colour)
    distances = [sum((a - b) ** 2 for a, b in zip(mine, lab(preset), strict=True)) for preset in PRESETS]
    return f"preset{distances.index(min(distances))}"


def lab(colour: str) -> tuple[float, float, float]:
    """L*, a*, b* of an sRGB colour."""
    if not is_colour(colour):
        raise ValueError("a colour is written #RRGGBB")
    red, green, blue = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / _WHITE[0]
    y = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / _WHITE[1]
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / _WHITE[2]
    fx, fy, fz = _curve(x), _curve(y), _curve(z)
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _curve(value: float) -> float:
    return float(value ** (1 / 3)) if value > 0.008856 else 7.787 * value + 16 / 116
