"""Which element of a mailbox's list is which mapped field, although a list has no holes.

A card with two phones whose first one is removed holds the second in first place. So elements are recognised by what they were when both sides
last agreed (the anchor); only the rest goes by place. Pure; knows nothing of links or digests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mapping.model import Anchor

Slots = Mapping[int, str]
"""Place in the list, counted from 1 -> field pair id, for the mapped places of one list, in ascending order."""


def align(elements: Sequence[str], slots: Slots, anchor: Anchor | None) -> dict[int, int]:
    """Place -> index of the element that belongs to it. Elements that belong to no mapped place are left out.

    Without an anchor by place. With one: first the elements that it recognises; an element that stands where no pair is mapped (before the
    last mapped place) stays there; the others go, in order, to places that held something, then to free ones.
    """
    if not elements:
        return {}
    if anchor is None:
        return {place: place - 1 for place in slots if place <= len(elements)}
    found: dict[int, int] = {}
    left = list(range(len(elements)))
    for place, pair in slots.items():
        index = next((i for i in left if anchor(pair, elements[i])), None)
        if index is not None:
            found[place] = index
            left.remove(index)
    if not left:  # nothing but what was agreed on
        return found
    last = max(slots, default=0)
    left = [i for i in left if i + 1 in slots or i + 1 > last]
    empty = sorted((place for place in slots if place not in found), key=lambda place: anchor(slots[place], ""))
    found.update(zip(sorted(empty[: len(left)]), left, strict=False))
    return found


def read(elements: Sequence[str], slots: Slots, anchor: Anchor | None) -> dict[str, str]:
    """Field pair id -> its element, '' where it has none."""
    found = align(elements, slots, anchor)
    return {pair: elements[found[place]] if place in found else "" for place, pair in slots.items()}


def rewrite(
    elements: Sequence[str], slots: Slots, wanted: Mapping[str, str], anchor: Anchor | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The list after these pairs took these values, and what each pair then holds. Elements of no mapped place are kept."""
    found = align(elements, slots, anchor)
    place_of = {index: place for place, index in found.items()}
    result: list[tuple[int, str]] = []  # place (0 = none), element
    for index, element in enumerate(elements):
        place = place_of.get(index, 0)
        value = wanted.get(slots[place], element) if place else element
        if value:
            result.append((place, value))
    for place, pair in slots.items():
        if place not in found and wanted.get(pair):
            after = (i for i, (other, _) in enumerate(result) if other > place)
            result.insert(next(after, len(result)), (place, wanted[pair]))
    intended = {slots[place]: value for place, value in result if place}
    written = tuple(value for _, value in result)
    return written, read(written, slots, lambda pair, value: intended.get(pair, "") == value)
