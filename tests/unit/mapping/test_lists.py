"""Elements of lists and the places they are mapped to."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from mapping.lists import Slots, read, rewrite
from mapping.model import Anchor
from tests.unit.mapping.cards import steady

ALL: Slots = {1: "one", 2: "two", 3: "three"}
ELEMENTS = st.lists(st.sampled_from("abcdefgh"), max_size=3, unique=True)
SLOTS = st.sets(st.integers(1, 3), min_size=1).map(lambda places: {place: ALL[place] for place in sorted(places)})


def knows(held: dict[str, str]) -> Anchor:
    return lambda pair, value: held.get(pair) == value


def test_by_place_without_an_anchor() -> None:
    assert read(["a", "b"], ALL, None) == {"one": "a", "two": "b", "three": ""}
    assert read(["a", "b"], {2: "two"}, None) == {"two": "b"}


def test_the_first_of_two_was_removed() -> None:
    assert read(["b"], ALL, knows({"one": "a", "two": "b", "three": ""})) == {"one": "", "two": "b", "three": ""}


def test_an_edit_goes_to_the_place_that_held_something() -> None:
    assert read(["c"], ALL, knows({"one": "", "two": "b", "three": ""})) == {"one": "", "two": "c", "three": ""}


def test_an_element_before_a_mapped_place_is_not_taken_for_it() -> None:
    assert read(["a"], {2: "two"}, knows({"two": ""})) == {"two": ""}
    assert read(["a"], {2: "two"}, knows({"two": "b"})) == {"two": ""}
    assert read(["a", "c"], {2: "two"}, knows({"two": "b"})) == {"two": "c"}


def test_writing_the_second_place_of_an_empty_list() -> None:
    written, held = rewrite([], {1: "one", 2: "two"}, {"two": "b"}, None)
    assert (written, held) == (("b",), {"one": "", "two": "b"})
    assert rewrite(written, {1: "one", 2: "two"}, {"one": "a"}, knows(held)) == (("a", "b"), {"one": "a", "two": "b"})


def test_without_the_anchor_the_same_write_would_lose_an_address() -> None:
    assert rewrite(["b"], {1: "one", 2: "two"}, {"one": "a"}, None)[0] == ("a",)


def test_elements_without_a_place_survive() -> None:
    assert rewrite(["a", "x", "y"], {1: "one"}, {"one": "c"}, knows({"one": "a"}))[0] == ("c", "x", "y")
    assert rewrite(["x", "b", "y"], {2: "two"}, {"two": ""}, knows({"two": "b"}))[0] == ("x", "y")


def test_what_moves_up_into_a_cleared_place_is_held_there() -> None:
    """A list has no holes: the second address of a card becomes its first one, and is known as such."""
    written, held = rewrite(["a", "x"], {1: "one"}, {"one": ""}, knows({"one": "a"}))
    assert (written, held) == (("x",), {"one": "x"})


@steady
@given(ELEMENTS, SLOTS, st.dictionaries(st.sampled_from(list(ALL.values())), st.sampled_from("uvwxyz") | st.just("")))
def test_what_was_written_is_read_back(elements: list[str], slots: Slots, values: dict[str, str]) -> None:
    wanted = {pair: value for pair, value in values.items() if pair in slots.values()}
    before = read(elements, slots, None)
    written, held = rewrite(elements, slots, wanted, knows(before))
    assert len(written) <= 3
    assert read(written, slots, knows(held)) == held
    assert all(held[pair] == value for pair, value in wanted.items() if value)
    spare = set(elements) - set(before.values())
    assert spare <= set(written)
    again, same = rewrite(written, slots, held, knows(held))
    assert (again, same) == (written, held)


@steady
@given(ELEMENTS, st.data())
def test_removing_one_element_empties_its_pair_only(elements: list[str], data: st.DataObject) -> None:
    assume(elements)
    before = read(elements, ALL, None)
    gone = data.draw(st.sampled_from(elements))
    now = read([each for each in elements if each != gone], ALL, knows(before))
    assert now == {pair: "" if value == gone else value for pair, value in before.items()}


@steady
@given(ELEMENTS, st.data())
def test_editing_one_element_changes_its_pair_only(elements: list[str], data: st.DataObject) -> None:
    assume(elements)
    before = read(elements, ALL, None)
    old = data.draw(st.sampled_from(elements))
    now = read(["new" if each == old else each for each in elements], ALL, knows(before))
    assert now == {pair: "new" if value == old else value for pair, value in before.items()}


@steady
@given(ELEMENTS, SLOTS)
def test_nothing_changed_is_read_as_nothing_changed(elements: list[str], slots: Slots) -> None:
    before = read(elements, slots, None)
    assert read(elements, slots, knows(before)) == before
