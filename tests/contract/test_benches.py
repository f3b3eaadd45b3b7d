"""The benches still run: in the smallest sizes, and without looking at how long anything takes."""

from __future__ import annotations

from sync.store.memory import MemoryRows
from tests.bench import first_fill, panel
from tests.bench.common import office
from tests.bench.figures import Figure, as_json, at_least, at_most, shown, table


def test_a_figure_says_whether_its_target_is_met() -> None:
    found = [at_most("P", "a", 2, 3), at_most("P", "b", 4, 3), at_least("P", "c", 3, 3, "s"), shown("P", "d", 1)]
    assert [each.met for each in found] == [True, False, True, None]
    lines = table(found).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["met", "MISSED", "met", "1"]
    assert Figure(**as_json(found)[2]) == found[2]


def test_every_page_that_reads_rows_is_measured() -> None:
    assert panel.unasked(panel.LARGE) == set()


async def test_every_call_of_the_panels_bench_answers() -> None:
    size = panel.Size(3, 60, 2, 3)
    found = await panel.measured(await panel.filled(MemoryRows(), size), size, 1)
    assert list(found) == list(panel.calls(size))


def test_a_mailbox_is_filled_and_a_quiet_comparison_does_nothing(azurite: str) -> None:
    with office() as place:
        place.add_records(3)
        filled = first_fill.engine(place, azurite, prepares=True, table="benches")
        quiet = first_fill.engine(place, azurite, full=True, table="benches")
        assert (filled.counts, place.cards()) == ({"crm_new": 3}, 3)
        assert (quiet.counts, place.cards()) == ({}, 3)


def test_the_same_people_on_both_sides_are_the_same(azurite: str) -> None:
    """What a card of the bench says is what its record says: nothing is written."""
    with office() as place:
        place.add_records(2)
        place.add_cards(2)
        told = first_fill.engine(place, azurite, prepares=True, table="twins")
        assert (told.counts, place.records(), place.cards(), place.writes()) == ({"matched": 2}, 2, 2, 0)
