"""The query language and get_changes of the vtenext emulator, beyond what the transcripts show."""

from __future__ import annotations

import pytest

from emulators.vtenext import VtenextEmulator
from tests.unit.emulators.vtenext_client import Client, refusal

NAMES = ("Rossi", "Bianchi", "Müller", "verdi", "Über 100%", "D'Angelo")


@pytest.fixture
async def people(client: Client) -> Client:
    """Six contacts, a second apart, the last one without an e-mail address."""
    for number, name in enumerate(NAMES):
        email = f"{number}@x.it" if number < 5 else ""
        born = "1980-01-01" if number % 2 else ""
        await client.create("Contacts", lastname=name, email=email, birthday=born, portal=number % 2)
        client.emulator.clock.advance(1)
    return client


async def names(client: Client, rest: str) -> list[str]:
    return [row["lastname"] for row in await client.query(f"select lastname,email from Contacts {rest};")]


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("where lastname='ROSSI'", ["Rossi"]),
        ("where lastname='muller'", ["Müller"]),
        ("where lastname=Verdi", ["verdi"]),
        ("where lastname like '%i'", ["Rossi", "Bianchi", "verdi"]),
        ("where lastname like '_ossi'", ["Rossi"]),
        ("where lastname like '%100%'", ["Über 100%"]),
        ("where lastname != 'Rossi' and email like '%@x.it'", ["Bianchi", "Müller", "verdi", "Über 100%"]),
        ("where lastname='Rossi' or lastname='verdi' and email='0@x.it'", ["Rossi"]),
        ("WHERE birthday >= '1980-01-01' ORDER BY lastname DESC", ["verdi", "D'Angelo", "Bianchi"]),
        ("where birthday < '2000-01-01' limit 1", ["Bianchi"]),
        ("where modifiedtime > '2026-11-23T12:00:03'", ["Über 100%", "D'Angelo"]),
        ("where modifiedtime >= '2026-11-23 12:00:04' and modifiedtime < '2026-11-23 12:00:05'", ["Über 100%"]),
        ("order by lastname limit 2,2", ["Müller", "Rossi"]),
        ("limit 0", []),
        ("limit -1", list(NAMES)),
        ("order by nosuchfield", []),
    ],
)
async def test_where_order_and_limit(people: Client, rest: str, found: list[str]) -> None:
    assert await names(people, rest) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("select id", "ACCESS_DENIED"),
        ("select Contacts.lastname from Contacts;", "INTERNAL_SERVER_ERROR"),
        ("select id from Contacts where email in ('');", "INTERNAL_SERVER_ERROR"),
        ("select id from Contacts where lastname between 'a' and 'b';", "QUERY_SYNTAX_ERROR"),
        ("select id from Contacts where lastname='a' group by lastname;", "QUERY_SYNTAX_ERROR"),
        ("select id from Contacts limit all;", "QUERY_SYNTAX_ERROR"),
        ("select id from Contacts where lastname='D\\'Angelo';", "QUERY_SYNTAX_ERROR"),
        ("select deleted from Contacts;", "ACCESS_DENIED"),
    ],
)
async def test_refused_queries(people: Client, text: str, code: str) -> None:
    assert await refusal(people.query(text)) == code


async def test_a_bare_list_of_names_comes_in_the_order_of_their_index(people: Client) -> None:
    rows = await people.query("select lastname from contacts;")
    assert [row["lastname"] for row in rows] == ["Bianchi", "D'Angelo", "Müller", "Rossi", "Über 100%", "verdi"]


async def test_no_limit_means_a_thousand(client: Client) -> None:
    rows = ({"lastname": f"L{n}", "assigned_user_id": "19x2"} for n in range(1050))
    client.emulator.backdoor.add_records("Contacts", rows)
    assert len(await client.query("select id from Contacts;")) == 1000
    assert len(await client.query("select id from Contacts limit 2000;")) == 1050
    assert len(await client.query("select id from Contacts limit 1000,2000;")) == 50
    assert await client.query("select count(*) from Contacts;") == [{"count": "1050"}]


async def test_ids_compare_as_numbers_and_page(people: Client) -> None:
    ids = [row["id"] for row in await people.query("select id from Contacts order by id;")]
    numbers = [int(full.split("x")[1]) for full in ids]
    assert numbers == sorted(numbers)
    after = await people.query(f"select id from Contacts where id > '{ids[2]}' order by id limit 2;")
    assert [row["id"] for row in after] == ids[3:5]
    some = ",".join(f"'{full}'" for full in (ids[4], ids[1], "4x9999"))
    assert [row["id"] for row in await people.query(f"select id from Contacts where id in ({some});")] == [
        ids[1],
        ids[4],
    ]


async def test_query_speaks_server_time_and_retrieve_the_callers(emulator: VtenextEmulator, client: Client) -> None:
    made = await client.create("Contacts", lastname="L")
    users = [{"user_name": "utc", "last_name": "U", "user_timezone": "UTC", "date_format": "yyyy-mm-dd"}]
    emulator.backdoor.add_users(users)
    other = Client(emulator)
    await other.login("utc")
    assert (await other.get("retrieve", id=made["id"]))["modifiedtime"] == "2026-11-23 11:00:00"
    [row] = await other.query(f"select modifiedtime from Contacts where id='{made['id']}';")
    assert row["modifiedtime"] == "2026-11-23 12:00:00"


async def test_a_broken_lower_bound_is_told(client: Client) -> None:
    plus_lost = await client.http.get(
        f"/webservice.php?operation=vtesync.get_changes&sessionName={client.session}"
        "&module=Contacts&dateFrom=2026-11-23T10:00:00+0100"
    )
    assert plus_lost.json()["error"]["code"] == "INVALID_DATE"


async def test_pages_end_with_a_whole_second_and_repeat_it(people: Client) -> None:
    first = await people.changes("Contacts", maxEntries="4", dateFrom="2026-11-23T11:00:00Z")
    assert ([row["lastname"] for row in first["created"]], first["more"]) == (list(NAMES[:4]), True)
    assert first["last_update"] == int(people.emulator.clock.now().timestamp()) - 3
    rest = await people.changes("Contacts", maxEntries="4", dateFrom="2026-11-23T11:00:03Z")
    assert ([row["lastname"] for row in rest["created"]], rest["more"]) == (list(NAMES[3:]), False)
    assert rest["last_update"] == int(people.emulator.clock.now().timestamp())


async def test_a_second_that_exceeds_the_page_never_ends(client: Client) -> None:
    rows = [{"lastname": f"L{n}", "assigned_user_id": "19x2"} for n in range(5)]
    client.emulator.backdoor.add_records("Contacts", rows)
    stuck = {"maxEntries": "3", "dateFrom": "2026-11-23T11:00:00Z"}
    for _ in range(2):
        page = await client.changes("Contacts", **stuck)
        assert (len(page["created"]), page["more"]) == (5, True)
        assert page["last_update"] == int(client.emulator.clock.now().timestamp())
    assert not (await client.changes("Contacts", maxEntries="3", dateFrom="2026-11-23T11:00:01Z"))["created"]


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"maxEntries": "-1"}, 0),
        ({"maxEntries": "0"}, 6),
        ({"dateFrom": "2026-11-23T11:00:02Z", "dateTo": "2026-11-23T12:00:03+0100"}, 2),
        ({"dateField": "createdtime", "dateFrom": "2026-11-23T11:00:04Z"}, 2),
    ],
)
async def test_bounds_and_sizes(people: Client, given: dict[str, str], count: int) -> None:
    assert len((await people.changes("Contacts", **given))["created"]) == count


async def test_created_then_changed_is_updated(people: Client) -> None:
    [row] = await people.query("select id from Contacts where lastname='Rossi';")
    await people.revise(row["id"], phone="1")
    changes = await people.changes("Contacts", dateFrom="2026-11-23T11:00:00Z")
    assert [each["lastname"] for each in changes["updated"]] == ["Rossi"]
    assert len(changes["created"]) == 5


async def test_the_autumn_hour_makes_server_time_run_backwards(client: Client) -> None:
    clock = client.emulator.clock
    clock.set(clock.now().replace(month=10, day=25, hour=0, minute=59, second=59))  # 02:59:59, summer time
    early = await client.create("Contacts", lastname="Early")
    clock.advance(1)  # 02:00:00 again
    await client.login()
    late = await client.create("Contacts", lastname="Late")
    assert (early["modifiedtime"], late["modifiedtime"]) == ("2026-10-25 02:59:59", "2026-10-25 02:00:00")
    seen = await client.changes("Contacts", dateFrom="2026-10-25T00:30:00Z")
    assert [row["lastname"] for row in seen["created"]] == ["Early"]
