"""Who takes part in an event of Graph, as fields and back: pure."""

from __future__ import annotations

from typing import Any

import pytest

from sync.sides.graph.events import SELECT, event_of, fields_of, is_whole
from sync.sides.graph.occurrences import INHERITED
from sync.sides.graph.people import attendees_body, categories_body, people_of
from sync.spans import zone_named

HOME = zone_named("Europe/Rome")
ORGANIZER = {"emailAddress": {"name": "Anna Neri", "address": "Anna@Example.com"}}


def attendee(address: str, response: str | None = "none", type_: str = "required", name: str = "") -> dict[str, Any]:
    status = None if response is None else {"response": response, "time": "0001-01-01T00:00:00Z"}
    return {"type": type_, "status": status, "emailAddress": {"name": name or address, "address": address}}


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        ("none", "none"),
        ("notResponded", "none"),
        ("tentativelyAccepted", "tentative"),
        ("accepted", "accepted"),
        ("declined", "declined"),
        ("somethingNew", "none"),
        (None, "none"),
    ],
)
def test_answers(response: str | None, shown: str) -> None:
    event = {"organizer": ORGANIZER, "attendees": [attendee("b@x.example", response)]}
    assert people_of(event)["attendees"] == (f"b@x.example|required|{shown}|",)
    assert people_of({"responseStatus": {"response": response}})["response"] == shown
    assert people_of({"responseStatus": {"response": response}, "isOrganizer": True})["response"] == ""


def test_the_list_is_sorted_and_each_is_named_once() -> None:
    listed = [
        attendee("Zoe@x.example", name="Zoe | Capo"),
        attendee("sala@x.example", "accepted", "resource", "Sala 1"),
        attendee("zoe@x.example", "declined"),
        attendee("b@x.example", type_="optional"),
        attendee("c@x.example", type_="somethingNew"),
    ]
    assert people_of({"attendees": listed})["attendees"] == (
        "b@x.example|optional|none|",
        "c@x.example|required|none|",
        "sala@x.example|resource|accepted|Sala 1",
        "zoe@x.example|required|none|Zoe   Capo",
    )


def test_the_organizer_is_no_attendee() -> None:
    listed = [attendee("anna@example.com"), attendee("alias@example.com", "organizer"), attendee("b@x.example")]
    fields = people_of({"organizer": ORGANIZER, "attendees": listed, "isOrganizer": False})
    assert fields["attendees"] == ("b@x.example|required|none|",)
    assert (fields["organizer"], fields["organizer_address"]) == ("", "anna@example.com")


def test_whoever_has_no_address_is_there_all_the_same() -> None:
    nameless = {"type": "required", "status": None, "emailAddress": {"name": "Gruppo", "address": None}}
    other = {"type": "optional", "status": None, "emailAddress": {"name": "Altri"}}
    shown = people_of({"attendees": [nameless, other]})["attendees"]
    assert shown == ("|optional|none|Altri", "|required|none|Gruppo")
    assert attendees_body(shown) == [
        {"emailAddress": {"name": "Altri"}, "type": "optional"},
        {"emailAddress": {"name": "Gruppo"}, "type": "required"},
    ]


def test_nobody() -> None:
    assert people_of({"attendees": None, "organizer": None, "categories": None, "isOrganizer": True}) == {
        "attendees": (),
        "organizer": "1",
        "organizer_address": "",
        "response": "",
        "categories": (),
    }


def test_a_list_is_sent_with_types_and_without_answers() -> None:
    sent = attendees_body(("b@x.example|optional|accepted|Bruno Verdi", "sala@x.example|resource|none|"))
    assert sent == [
        {"emailAddress": {"address": "b@x.example", "name": "Bruno Verdi"}, "type": "optional"},
        {"emailAddress": {"address": "sala@x.example"}, "type": "resource"},
    ]
    assert attendees_body(()) == []


@pytest.mark.parametrize(
    "bad", [("b@x.example",), ("b@x.example|boss|none|",), ("b@x.example|required|perhaps|",), "3"]
)
def test_what_is_no_attendee_is_not_sent(bad: tuple[str, ...] | str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part of the text is wrong
        attendees_body(bad)


def test_categories() -> None:
    assert people_of({"categories": ["Sala", "Auto", "Sala"]})["categories"] == ("Auto", "Sala")
    assert categories_body(("Auto", "Sala")) == ["Auto", "Sala"]
    assert categories_body("") == []
    with pytest.raises(ValueError, match="list"):
        categories_body("Auto")


def test_only_what_is_named_is_sent() -> None:
    assert HOME is not None
    assert event_of({"subject": "S"}, HOME) == {"subject": "S"}
    assert event_of({"categories": ("Auto",)}, HOME) == {"categories": ["Auto"]}
    assert event_of({"attendees": ()}, HOME) == {"attendees": []}
    for name in ("response", "organizer", "organizer_address"):
        with pytest.raises(ValueError, match="cannot be written"):
            event_of({name: "accepted"}, HOME)


def test_people_are_asked_for_inherited_and_part_of_a_whole_event() -> None:
    for name in ("attendees", "organizer", "isOrganizer", "responseStatus", "categories"):
        assert name in SELECT
        assert name in INHERITED
        event = dict.fromkeys(SELECT)
        assert is_whole(event)
        del event[name]
        assert not is_whole(event)
    assert fields_of({"attendees": [attendee("b@x.example")]})["attendees"] == ("b@x.example|required|none|",)
