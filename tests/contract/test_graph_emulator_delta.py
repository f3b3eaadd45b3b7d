"""Delta queries of the Graph emulator: what BEHAVIOUR 2.1-2.3 says of rounds, tokens and removals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_schema import judge

STAMP = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name CrmId"
MAIL = "anna@example.com"
START = f"/users/{MAIL}/contactFolders/contacts/contacts/delta"
Page = dict[str, Any]


@pytest.fixture
def graph() -> GraphEmulator:
    emulator = GraphEmulator(auth=False)
    emulator.add_user(MAIL, "Anna Neri")
    return emulator


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    hooks: dict[str, list[Any]] = {"response": [judge]}
    transport = InProcessTransport(graph.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://graph/v1.0", event_hooks=hooks) as client:
        yield client


def prefer(size: int, *, immutable: bool = True) -> dict[str, str]:
    kind = ', IdType="ImmutableId"' if immutable else ""
    return {"Prefer": f"odata.maxpagesize={size}{kind}"}


async def pages(http: httpx.AsyncClient, url: str, size: int = 10, *, immutable: bool = True) -> list[Page]:
    """One whole round."""
    found: list[Page] = []
    link = url
    while link:
        answer = await http.get(link, headers=prefer(size, immutable=immutable))
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        link = found[-1].get("@odata.nextLink", "")
    return found


async def folded(http: httpx.AsyncClient, url: str, size: int = 10, *, immutable: bool = True) -> tuple[Page, str]:
    """What a client knows after a round (the last word per id), and the deltaLink."""
    round_ = await pages(http, url, size, immutable=immutable)
    return {each["id"]: each for page in round_ for each in page["value"]}, round_[-1]["@odata.deltaLink"]


async def test_a_round_tells_everything_once_or_more_with_empty_pages(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    made = {graph.outlook.create(MAIL, {"givenName": f"N{number}"}) for number in range(40)}
    round_ = await pages(http, START, 10)
    told = [each["id"] for page in round_ for each in page["value"]]
    assert set(told) == made
    assert len(told) > len(made)  # the same id twice
    assert any(not page["value"] and "@odata.nextLink" in page for page in round_)
    graph.quirks.delta_repeats = False
    plain = await pages(http, START, 10)
    assert [len(page["value"]) for page in plain] == [10, 10, 0, 10, 10, 0]
    assert "@odata.deltaLink" in plain[-1]


async def test_the_next_round_tells_changes_as_whole_objects(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    fields = {"givenName": "A", "surname": "B", "singleValueExtendedProperties": [{"id": STAMP, "value": "1"}]}
    first = graph.outlook.create(MAIL, fields)
    graph.outlook.create(MAIL, {"givenName": "still"})
    known, link = await folded(http, START)
    assert len(known) == 2
    known, link = await folded(http, link)
    assert known == {}
    graph.outlook.edit(MAIL, first, {"givenName": "C"})
    own = await http.post(f"/users/{MAIL}/contacts", json={"givenName": "own"}, headers=prefer(1))
    known, link = await folded(http, link)
    assert set(known) == {first, own.json()["id"]}  # own writes come back
    assert (known[first]["givenName"], known[first]["surname"], known[first]["mobilePhone"]) == ("C", "B", None)
    assert "singleValueExtendedProperties" not in known[first]
    single = (await http.get(f"/users/{MAIL}/contacts/{first}")).json()
    assert known[first]["@odata.etag"] == single["@odata.etag"]


async def test_removals(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    gone, moved, edited = (graph.outlook.create(MAIL, {"givenName": name}) for name in ("gone", "moved", "edited"))
    folder = graph.outlook.create_folder(MAIL, "Other")
    other = f"/users/{MAIL}/contactFolders/{folder}/contacts/delta()"
    _, link = await folded(http, START)
    _, other_link = await folded(http, other)
    graph.outlook.delete(MAIL, gone)
    graph.outlook.move(MAIL, moved, "Other")
    graph.outlook.edit(MAIL, edited, {"givenName": "!"})
    graph.outlook.delete(MAIL, edited)
    known, _ = await folded(http, link)
    removed = {"@removed": {"reason": "deleted"}}
    assert known == {each: {**removed, "id": each} for each in (gone, moved, edited)}
    known, _ = await folded(http, other_link)
    assert list(known) == [moved]  # with immutable ids the same one
    assert known[moved]["givenName"] == "moved"


async def test_default_ids_change_on_a_move_and_back(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    moved = graph.outlook.create(MAIL, {"givenName": "moved"})
    graph.outlook.create_folder(MAIL, "Other")
    known, link = await folded(http, START, immutable=False)
    (old,) = known
    assert old != moved
    graph.outlook.move(MAIL, moved, "Other")
    graph.outlook.move(MAIL, moved)
    known, _ = await folded(http, link, immutable=False)
    assert known.pop(old) == {"@removed": {"reason": "deleted"}, "id": old}
    assert [each["givenName"] for each in known.values()] == ["moved"]
    known, _ = await folded(http, link)
    assert list(known) == [moved]
    assert "@removed" not in known[moved]


async def test_a_change_during_a_round_comes_in_the_next(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = [graph.outlook.create(MAIL, {"givenName": "A"}) for _ in range(4)]
    first = (await http.get(START, headers=prefer(2))).json()
    graph.outlook.edit(MAIL, made[0], {"givenName": "B"})
    graph.outlook.delete(MAIL, made[3])
    rest = await pages(http, first["@odata.nextLink"], 2)
    told = {each["id"]: each for page in rest for each in page["value"]}
    assert "@removed" in told[made[3]]
    known, _ = await folded(http, rest[-1]["@odata.deltaLink"])
    assert set(known) == {made[0], made[3]}
    assert known[made[0]]["givenName"] == "B"


async def test_select_travels_in_the_token(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = graph.outlook.create(MAIL, {"givenName": "A"})
    known, link = await folded(http, START + "?$select=givenName,surname")
    assert set(known[made]) == {"@odata.etag", "id", "givenName", "surname"}
    graph.outlook.edit(MAIL, made, {"surname": "B"})
    known, _ = await folded(http, link)
    assert set(known[made]) == {"@odata.etag", "id", "givenName", "surname"}


@pytest.mark.parametrize("option", ["$expand=photo", "$filter=a", "$top=3", "$orderby=a", "$search=x"])
async def test_refused_options(http: httpx.AsyncClient, option: str) -> None:
    answer = await http.get(f"{START}?{option}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ErrorInvalidRequest")


async def test_old_generations_die(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.quirks.generations_kept = 3
    _, oldest = await folded(http, START)
    link = oldest
    for _ in range(2):
        _, link = await folded(http, link)
    assert (await http.get(oldest)).status_code == 200  # two behind: still kept; and this GET is a round of its own
    answer = await http.get(oldest)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "SyncStateNotFound")
    assert answer.json()["error"]["message"].startswith(
        "The sync state generation is not found; generation=101;[highest=104]"
    )
    assert (await http.get(link)).status_code == 200
    graph.expire_delta(MAIL)
    assert (await http.get(link)).status_code == 410
    known, _ = await folded(http, START)
    assert known == {}


async def test_a_repeated_last_page_gives_the_same_state(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.outlook.create(MAIL, {"givenName": "A"})
    first = (await http.get(START, headers=prefer(1))).json()
    last = (await http.get(first["@odata.nextLink"], headers=prefer(1))).json()
    assert (await http.get(first["@odata.nextLink"], headers=prefer(1))).json() == last


async def test_tokens_are_opaque_and_bound(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.outlook.create_folder(MAIL, "Other")
    _, link = await folded(http, START)
    url, token = link.split("$deltatoken=")
    tampered = ("x" if token[0] != "x" else "y") + token[1:]
    for bad in ("nonsense", tampered, token[:-4]):
        answer = await http.get(f"{url}$deltatoken={bad}")
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Badly formed token.")
    folders = f"/users/{MAIL}/contactFolders/delta"
    answer = await http.get(f"{folders}?$deltatoken={token}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "SyncStateNotFound")
    graph.corner.reset()
    graph.add_user(MAIL, "Anna Neri")
    assert (await http.get(link)).status_code in (404, 410)


async def test_removals_in_a_first_round(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    gone = graph.outlook.create(MAIL, {"givenName": "gone"})
    graph.outlook.delete(MAIL, gone)
    known, _ = await folded(http, START)
    assert list(known) == [gone]
    assert "@removed" in known[gone]
    graph.quirks.delta_initial_removals = False
    assert (await folded(http, START))[0] == {}


async def test_folder_delta(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    url = f"/users/{MAIL}/contactFolders/delta"
    one = graph.outlook.create_folder(MAIL, "one")
    two = graph.outlook.create_folder(MAIL, "two")
    known, link = await folded(http, url)
    assert {each["displayName"] for each in known.values()} == {"one", "two"}  # the default one is hidden
    graph.outlook.rename_folder(MAIL, "one", "uno")
    graph.outlook.delete_folder(MAIL, "two")
    known, _ = await folded(http, link)
    assert known[one]["displayName"] == "uno"
    assert known[two] == {"@removed": {"reason": "deleted"}, "id": two}
