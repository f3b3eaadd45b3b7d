"""Users, folders and contacts of the Graph emulator, each answer judged by Microsoft's schema, each quirk by its section."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from emulators.corner import Clock, Fault
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_schema import judge

STAMP = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name CrmId"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}
MAIL = "anna@example.com"


@pytest.fixture
def graph() -> GraphEmulator:
    emulator = GraphEmulator(clock=Clock(datetime(2026, 11, 1, 8, tzinfo=UTC)), auth=False)
    emulator.add_user(MAIL, "Anna Neri")
    return emulator


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    transport = InProcessTransport(graph.app)
    hooks: dict[str, list[Any]] = {"response": [judge]}
    async with httpx.AsyncClient(transport=transport, base_url="http://graph/v1.0", event_hooks=hooks) as client:
        yield client


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def at(user: str = MAIL) -> str:
    return f"/users/{user}"


# directory ---------------------------------------------------------------------------------------------------------


async def test_users_are_listed_selected_and_filtered(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    for number in range(120):
        graph.add_user(f"u{number}@example.com", f"User {number}")
    first = (await http.get("/users", params={"$select": "id,mail"})).json()
    assert len(first["value"]) == 100
    assert set(first["value"][0]) == {"id", "mail"}
    second = (await http.get(first["@odata.nextLink"])).json()
    assert len(second["value"]) == 21
    assert "@odata.nextLink" not in second
    found = await http.get("/users", params={"$filter": "mail eq 'U7@Example.com' or userPrincipalName eq 'none'"})
    assert [each["mail"] for each in found.json()["value"]] == ["u7@example.com"]
    enabled = await http.get("/users", params={"$filter": "accountEnabled eq true", "$top": "5"})
    assert len(enabled.json()["value"]) == 5


async def test_a_user_is_found_by_id_and_by_name(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    user = (await http.get(at())).json()
    assert (await http.get(at(user["id"]))).json() == user
    assert (await http.get("/users('anna@example.com')/contacts")).status_code == 200
    assert error(await http.get(at("nobody@example.com"))) == (404, "Request_ResourceNotFound")
    assert error(await http.get(at("nobody@example.com") + "/contacts")) == (404, "ErrorInvalidUser")


async def test_a_mailbox_without_licence(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.set_user(MAIL, licensed=False)
    assert error(await http.get(at() + "/contacts")) == (404, "MailboxNotEnabledForRESTAPI")
    assert (await http.get(at())).status_code == 200
    graph.set_user(MAIL, licensed=True)
    assert (await http.get(at() + "/contacts")).status_code == 200


# folders -----------------------------------------------------------------------------------------------------------


async def test_the_default_folder_is_hidden_but_has_a_name(http: httpx.AsyncClient) -> None:
    made = (await http.post(at() + "/contactFolders", json={"displayName": "vtenext"})).json()
    listed = (await http.get(at() + "/contactFolders")).json()["value"]
    assert [each["id"] for each in listed] == [made["id"]]
    default = (await http.get(at() + "/contactFolders/contacts")).json()
    assert made["parentFolderId"] == default["id"]
    below = (await http.get(at() + f"/contactFolders/{default['id']}/childFolders")).json()["value"]
    assert below == listed


async def test_folders_are_made_renamed_and_deleted(http: httpx.AsyncClient) -> None:
    base = at() + "/contactFolders"
    made = (await http.post(base, json={"displayName": "vtenext"})).json()
    assert error(await http.post(base, json={"displayName": "VTENEXT"})) == (409, "ErrorFolderExists")
    child = await http.post(f"{base}/{made['id']}/childFolders", json={"displayName": "below"})
    assert child.status_code == 201
    renamed = await http.patch(f"{base}/{made['id']}", json={"displayName": "CRM"})
    assert (renamed.json()["id"], renamed.json()["displayName"]) == (made["id"], "CRM")
    assert (await http.delete(f"{base}/{made['id']}")).status_code == 204
    assert error(await http.get(f"{base}/{made['id']}")) == (404, "ErrorItemNotFound")
    assert error(await http.get(f"{base}/{child.json()['id']}")) == (404, "ErrorItemNotFound")
    assert error(await http.get(f"{base}/{made['id']}/contacts/delta")) == (404, "ErrorSyncFolderNotFound")
    assert error(await http.delete(f"{base}/contacts")) == (403, "ErrorDeleteDistinguishedFolder")
    assert error(await http.post(base, json={"name": "x"})) == (400, "ErrorInvalidProperty")


# contacts: form ----------------------------------------------------------------------------------------------------


async def create(http: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await http.post(at() + "/contacts", json=body, headers={**IMMUTABLE, **headers})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_unset_properties_read_as_null_empty_text_or_empty_object(http: httpx.AsyncClient) -> None:
    made = await create(http, {"givenName": "Zoë", "surname": "D'Àncona 😀", "personalNotes": "a\nb"})
    assert made["personalNotes"] == "a\r\nb"
    assert (made["mobilePhone"], made["title"], made["homeAddress"], made["businessPhones"]) == (None, "", {}, [])
    assert made["displayName"] == "Zoë D'Àncona 😀"
    assert made["fileAs"] == "D'Àncona 😀, Zoë"
    cleared = await http.patch(at() + f"/contacts/{made['id']}", json={"personalNotes": None, "givenName": ""})
    assert (cleared.json()["personalNotes"], cleared.json()["givenName"]) == ("", None)


async def test_names_are_recomputed_unless_sent(http: httpx.AsyncClient) -> None:
    made = await create(http, {"givenName": "Al", "surname": "Bi", "displayName": "Boss", "fileAs": "Boss"})
    url = at() + f"/contacts/{made['id']}"
    untouched = (await http.patch(url, json={"jobTitle": "CEO"})).json()
    assert (untouched["displayName"], untouched["fileAs"]) == ("Boss", "Boss")
    renamed = (await http.patch(url, json={"surname": "Ci"})).json()
    assert (renamed["displayName"], renamed["fileAs"]) == ("Al Ci", "Ci, Al")
    kept = (await http.patch(url, json={"surname": "Di", "displayName": "Boss"})).json()
    assert (kept["displayName"], kept["fileAs"]) == ("Boss", "Di, Al")
    company = await create(http, {"companyName": "ACME", "displayName": "ACME", "fileAs": "ACME"})
    assert (company["givenName"], company["surname"], company["displayName"]) == (None, None, "ACME")


@pytest.mark.parametrize(("name", "allowed"), [("businessPhones", 2), ("homePhones", 2), ("imAddresses", 3)])
async def test_collections_have_limits(http: httpx.AsyncClient, name: str, allowed: int) -> None:
    many = [str(number) for number in range(allowed + 1)]
    answer = await http.post(at() + "/contacts", json={name: many})
    title = name[0].upper() + name[1:]
    assert answer.json()["error"]["message"] == (
        f"The multi value property {title} has {allowed + 1} entries, that exceeds the max allowed value of {allowed}"
    )
    assert (await create(http, {name: many[:-1]}))[name] == many[:-1]


async def test_collections_are_replaced_and_emails_limited(http: httpx.AsyncClient) -> None:
    emails = [{"address": f"{letter}@example.com", "name": letter} for letter in "abcd"]
    assert error(await http.post(at() + "/contacts", json={"emailAddresses": emails})) == (
        400,
        "ErrorInvalidProperty",
    )
    address = {"street": "Via Po 1", "city": "Torino"}
    made = await create(http, {"emailAddresses": emails[:3], "homeAddress": address})
    sent = {"emailAddresses": emails[:1], "homeAddress": {"city": "Roma"}}
    changed = (await http.patch(at() + f"/contacts/{made['id']}", json=sent)).json()
    assert changed["emailAddresses"] == emails[:1]
    assert changed["homeAddress"] == {"city": "Roma"}
    assert changed["primaryEmailAddress"] == emails[0]
    assert changed["secondaryEmailAddress"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"givenname": "x"},
        {"fax": "1"},
        {"givenName": 5},
        {"businessPhones": None},
        {"businessPhones": "1"},
        {"homeAddress": {"zip": "1"}},
        {"emailAddresses": [{"email": "a@b.c"}]},
        {"birthday": "1974-07-22"},
        {"singleValueExtendedProperties": [{"id": "CrmId", "value": "1"}]},
    ],
)
async def test_the_type_is_closed(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert error(await http.post(at() + "/contacts", json=body)) == (400, "ErrorInvalidProperty")


async def test_a_body_that_is_no_json(http: httpx.AsyncClient) -> None:
    answer = await http.post(at() + "/contacts", content=b"{", headers={"Content-Type": "application/json"})
    assert error(answer) == (400, "UnableToDeserializePostBody")


async def test_birthdays_are_instants_with_odd_times(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, {"birthday": "1974-07-22T00:00:00+02:00"})
    assert made["birthday"] == "1974-07-21T22:00:00Z"
    graph.outlook.edit(MAIL, made["id"], {"birthday": "1974-07-22"})
    assert (await http.get(at() + f"/contacts/{made['id']}")).json()["birthday"] == "1974-07-22T11:59:00Z"


# contacts: versions and ids ----------------------------------------------------------------------------------------


async def test_if_match_is_obeyed_by_patch_and_ignored_by_delete(http: httpx.AsyncClient) -> None:
    made = await create(http, {"givenName": "A"})
    assert made["@odata.etag"] == f'W/"{made["changeKey"]}"'
    url, old = at() + f"/contacts/{made['id']}", {"If-Match": made["@odata.etag"]}
    changed = await http.patch(url, json={"givenName": "B"}, headers=old)
    assert changed.json()["changeKey"] != made["changeKey"]
    assert error(await http.patch(url, json={"givenName": "C"}, headers=old)) == (412, "ErrorIrresolvableConflict")
    assert (await http.get(url)).json()["givenName"] == "B"
    assert (await http.delete(url, headers=old)).status_code == 204


async def test_two_forms_of_ids(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await http.post(at() + "/contacts", json={"givenName": "A"}, headers=IMMUTABLE)
    assert made.headers["Preference-Applied"] == "IdType=ImmutableId"
    fixed = made.json()["id"]
    plain = (await http.get(at() + f"/contacts/{fixed}")).json()["id"]
    assert plain != fixed
    graph.outlook.create_folder(MAIL, "Other")
    graph.outlook.move(MAIL, fixed, "Other")
    assert error(await http.get(at() + f"/contacts/{plain}")) == (404, "ErrorItemNotFound")
    assert (await http.get(at() + f"/contacts/{fixed}", headers=IMMUTABLE)).json()["id"] == fixed
    swapped = fixed[:-3].swapcase() + fixed[-3:]
    assert error(await http.get(at() + f"/contacts/{swapped}"))[0] in (400, 404)
    assert error(await http.get(at() + "/contacts/17")) == (400, "ErrorInvalidIdMalformed")
    graph.add_user("bo@example.com", "Bo")
    assert error(await http.get(at("bo@example.com") + f"/contacts/{fixed}")) == (404, "ErrorItemNotFound")


async def test_a_deleted_contact_lies_in_deleted_items(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, {"givenName": "A"})
    url = at() + f"/contacts/{made['id']}"
    default_url = at() + "/contacts/" + (await http.get(url)).json()["id"]
    graph.outlook.delete(MAIL, made["id"])
    seen = (await http.get(url, headers=IMMUTABLE)).json()
    assert seen["parentFolderId"] not in (made["parentFolderId"], None)
    assert error(await http.get(at() + f"/contactFolders/{seen['parentFolderId']}")) == (404, "ErrorItemNotFound")
    assert error(await http.get(default_url)) == (404, "ErrorItemNotFound")
    assert error(await http.delete(url)) == (403, "ErrorCannotDeleteObject")
    assert (await http.get(at() + "/contacts")).json()["value"] == []
    graph.quirks.deleted_items = "gone"
    assert error(await http.get(url)) == (404, "ErrorItemNotFound")
    graph.quirks.deleted_items = "visible"
    graph.outlook.move(MAIL, made["id"])
    assert (await http.get(url)).json()["parentFolderId"] == made["parentFolderId"]
    await http.delete(url)
    assert graph.outlook.empty_deleted_items(MAIL) == 1
    assert error(await http.get(url)) == (404, "ErrorItemNotFound")


# contacts: listing and extended properties -------------------------------------------------------------------------


async def test_listing_reads_one_folder_in_pages(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    folder = graph.outlook.create_folder(MAIL, "Other")
    for number in range(23):
        graph.outlook.create(MAIL, {"givenName": f"N{number:02}"})
    graph.outlook.create(MAIL, {"givenName": "elsewhere"}, "Other")
    graph.outlook.create_contact_list(MAIL)
    first = (await http.get(at() + "/contacts", params={"$count": "true", "$select": "givenName"})).json()
    assert (first["@odata.count"], len(first["value"])) == (24, 10)
    assert set(first["value"][0]) == {"id", "givenName", "@odata.etag"}
    names, link = [], at() + "/contacts?$top=9&$orderby=givenName desc"
    while link:
        page = (await http.get(link)).json()
        names += [each["givenName"] for each in page["value"]]
        link = page.get("@odata.nextLink", "")
    assert names == [f"N{number:02}" for number in range(22, -1, -1)]
    other = await http.get(at() + f"/contactFolders/{folder}/contacts", headers={"Prefer": "odata.maxpagesize=5"})
    assert [each["givenName"] for each in other.json()["value"]] == ["elsewhere"]
    assert other.headers["Preference-Applied"] == "odata.maxpagesize=5"


@pytest.mark.parametrize("query", ["$select=nope", "$top=x", "$top=1001", "$search=a", "$filter=nope eq 'x'",
                                   "$filter=givenName gt 'a'", "$expand=photo", "$filter=givenName eq"])  # fmt: skip
async def test_refused_query_options(http: httpx.AsyncClient, query: str) -> None:
    assert error(await http.get(at() + "/contacts?" + query)) == (400, "RequestBroker--ParseUri")


async def test_filters(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.outlook.create(
        MAIL, {"givenName": "O'Neil", "emailAddresses": [{"address": "x@a.it"}, {"address": "y@a.it"}]}
    )
    graph.outlook.create(MAIL, {"givenName": "Ugo", "companyName": "ACME"})

    async def names(text: str) -> list[str]:
        answer = await http.get(at() + "/contacts", params={"$filter": text})
        return [each["givenName"] for each in answer.json()["value"]]

    assert await names("emailAddresses/any(a:a/address eq 'Y@a.it')") == ["O'Neil"]
    assert await names("givenName eq 'o''neil'") == ["O'Neil"]
    assert await names("startswith(companyName,'ac') and not (givenName eq 'x')") == ["Ugo"]
    assert await names("companyName eq null or companyName in ('acme', 'b')") == ["O'Neil", "Ugo"]
    bad = await http.get(at() + "/contacts", params={"$filter": "emailAddresses/any(a:a/name eq 'x')"})
    assert error(bad) == (400, "RequestBroker--ParseUri")


async def test_extended_properties_are_silent_expandable_and_filterable(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    made = await create(http, {"givenName": "A", "singleValueExtendedProperties": [{"id": STAMP, "value": "12x5"}]})
    assert "singleValueExtendedProperties" not in made
    url = at() + f"/contacts/{made['id']}"
    expand = {"$expand": f"singleValueExtendedProperties($filter=id eq '{STAMP}')"}
    assert (await http.get(url, params=expand)).json()["singleValueExtendedProperties"] == [
        {"id": STAMP, "value": "12x5"}
    ]
    plain = graph.outlook.create(MAIL, {"givenName": "B"})
    listed = (await http.get(at() + "/contacts", params={**expand, "$select": "id"}, headers=IMMUTABLE)).json()["value"]
    assert {each["id"]: "singleValueExtendedProperties" in each for each in listed} == {made["id"]: True, plain: False}

    async def found(prop: str, value: str) -> int:
        text = f"singleValueExtendedProperties/Any(ep: ep/id eq '{prop}' and ep/value eq '{value}')"
        return len((await http.get(at() + "/contacts", params={"$filter": text})).json()["value"])

    assert await found(STAMP, "12X5") == 1
    assert await found(STAMP.replace("CrmId", "crmid"), "12x5") == 0
    copy = graph.outlook.copy(MAIL, made["id"])
    assert copy != made["id"]
    assert await found(STAMP, "12x5") == 2
    await http.patch(url, json={"singleValueExtendedProperties": [{"id": STAMP, "value": None}]})
    assert await found(STAMP, "12x5") == 1


async def test_search_by_stamp_may_lag(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.quirks.filter_lag_s = 5
    await create(http, {"singleValueExtendedProperties": [{"id": STAMP, "value": "1"}]})
    text = f"singleValueExtendedProperties/Any(ep: ep/id eq '{STAMP}' and ep/value eq '1')"
    url, query = at() + "/contacts", {"$filter": text}
    assert (await http.get(url, params=query)).json()["value"] == []
    graph.clock.advance(5)
    assert len((await http.get(url, params=query)).json()["value"]) == 1


# corner ------------------------------------------------------------------------------------------------------------


async def test_counts_faults_and_reset(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    await http.get(at() + "/contacts")
    graph.corner.add_fault(Fault("lost_response"), match="POST .*/contacts")
    with pytest.raises(httpx.ReadError):
        await http.post(at() + "/contacts", json={"givenName": "A"})
    assert [each["givenName"] for each in graph.dump(MAIL)["folders"][0]["contacts"]] == ["A"]
    assert graph.corner.counts == {f"GET /v1.0/users/{MAIL}/contacts": 1, f"POST /v1.0/users/{MAIL}/contacts": 1}
    graph.corner.reset()
    assert error(await http.get(at())) == (404, "Request_ResourceNotFound")


async def test_the_corner_acts_over_http(graph: GraphEmulator) -> None:
    async with httpx.AsyncClient(transport=InProcessTransport(graph.app), base_url="http://graph/_emulator") as corner:
        user = (await corner.post("/users", json={"mail": "bo@example.com", "display_name": "Bo"})).json()["id"]
        act = {"do": "create", "user": user, "fields": {"givenName": "X"}}
        made = (await corner.post("/outlook", json=act)).json()["result"]
        dump = (await corner.post("/mailbox", json={"user": user})).json()
        assert [each["id"] for each in dump["folders"][0]["contacts"]] == [made]
        assert (await corner.post("/outlook", json={"do": "_accept"})).status_code == 400
        assert (await corner.put("/quirks", json={"quota": 5})).json()["quota"] == 5
        assert (await corner.put("/quirks", json={"nope": 5})).status_code == 400
        assert (await corner.put("/quirks", json={"deleted_items": "lost"})).status_code == 400


async def test_error_bodies_name_the_request(http: httpx.AsyncClient) -> None:
    answer = await http.get(at("no@example.com"), headers={"client-request-id": "abc"})
    inner = answer.json()["error"]["innerError"]
    assert inner["client-request-id"] == answer.headers["client-request-id"] == "abc"
    assert inner["request-id"] == answer.headers["request-id"]
    assert re.fullmatch(r"2026-11-01T08:00:00", inner["date"])
