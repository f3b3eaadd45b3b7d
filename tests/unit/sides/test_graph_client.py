"""The connection: headers of every request, what is refused before it is sent, what is never written to a log."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sync.errors import Cause, ConfigMistake, Failure, RetryLater, StopConnector
from sync.model import Item, Kind
from sync.sides.base import New, Unclear
from sync.sides.graph import GraphMailbox
from sync.sides.graph.answers import Answer
from sync.sides.graph.folders import Folder
from tests.contract.graph_world import Badge, Time, plug

FOLDER = Folder("AQMkAFolder=")


class Server:
    """Answers as told, in turn; the last answer stays. Keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def ok(**body: object) -> httpx.Response:
    return httpx.Response(200, json=body)


async def test_every_request_says_who_and_how() -> None:
    server = Server(ok(value=[]))
    connection = plug(httpx.MockTransport(server))
    await connection.read("/users/u/contacts?$top=1", where="w", prefer=("odata.maxpagesize=200",))
    await connection.send("POST", "/x", where="w", body={"è": 1})
    first, second = server.asked
    assert first.headers["prefer"] == 'IdType="ImmutableId", odata.maxpagesize=200'
    assert first.headers["authorization"] == "Bearer token-0"
    assert first.headers["user-agent"].startswith("vtenext-m365-sync/")
    assert first.headers["client-request-id"] != second.headers["client-request-id"]
    assert str(first.url) == "http://127.0.0.1/v1.0/users/u/contacts?$top=1"
    assert (second.headers["content-type"], second.content) == ("application/json", '{"è":1}'.encode())
    await connection.close()


async def test_links_are_replayed_as_they_are() -> None:
    server = Server(ok(value=[]))
    connection = plug(httpx.MockTransport(server))
    link = "http://127.0.0.1/v1.0/users/u/contacts/delta?$deltatoken=a%24b%2Dc~d_-%3D"
    await connection.read(link, where="w")
    assert str(server.asked[0].url) == link
    with pytest.raises(ValueError, match="does not belong"):
        await connection.read("http://127.0.0.1.example.com/v1.0/users", where="w")
    await connection.close()


@pytest.mark.parametrize(
    "base", ["http://graph.example.com/v1.0", "graph.microsoft.com/v1.0", "ftp://127.0.0.1/v1.0", ""]
)
def test_a_token_travels_over_https_or_not_at_all(base: str) -> None:
    with pytest.raises(ConfigMistake):
        plug(httpx.MockTransport(Server(ok())), base=base)


async def test_a_refused_token_is_renewed_once_for_all() -> None:
    server = Server(httpx.Response(401), ok(id="1"))
    badge = Badge()
    connection = plug(httpx.MockTransport(server), tokens=badge)
    assert isinstance(await connection.read("/users", where="w"), Answer)
    assert [each.headers["authorization"] for each in server.asked] == ["Bearer token-0", "Bearer token-1"]
    await badge.renew(0)
    assert badge.generation == 1
    await connection.close()
    assert badge.closed


@pytest.mark.parametrize("error", [httpx.ReadError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])
async def test_lost_answers_are_failures_without_status(error: Exception) -> None:
    connection = plug(httpx.MockTransport(Server(error)))
    answer = await connection.send("POST", "/x", where="w", body={})
    assert answer == Failure(0, type(error).__name__, where="w")
    await connection.close()


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ConnectTimeout("x")])
async def test_no_connection_certainly_did_nothing(error: Exception) -> None:
    connection = plug(httpx.MockTransport(Server(error)))
    with pytest.raises(RetryLater):
        await connection.send("POST", "/x", where="w", body={})
    await connection.close()


async def test_success_in_html_is_no_success() -> None:
    connection = plug(httpx.MockTransport(Server(httpx.Response(200, text="<html>"))))
    answer = await connection.send("POST", "/x", where="w", body={})
    assert isinstance(answer, Failure)
    assert answer.status == 0
    await connection.close()


async def test_a_503_with_a_wish_is_obeyed_for_reads_only() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "4"})
    time, server = Time(), Server(busy, ok(), busy, ok())
    connection = plug(httpx.MockTransport(server), time=time)
    assert isinstance(await connection.read("/users", where="w"), Answer)
    assert time.slept == [4.0]
    assert isinstance(await connection.send("POST", "/x", where="w", body={}), Failure)
    await connection.close()


async def test_nothing_personal_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    connection = plug(httpx.MockTransport(Server(httpx.Response(500), ok(id="x"))))
    await connection.read("/users/anna@example.com?$select=id", where="user.get")
    await connection.send("POST", "/x", where="w", body={"surname": "Neri"})
    await connection.close()
    for record in caplog.records:
        assert "anna@" not in record.getMessage()
        assert "Neri" not in record.getMessage()
        assert "/users" not in record.getMessage()


def test_importing_the_package_imports_no_sdk() -> None:
    code = "import sys, sync.sides.graph; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert {"sync", "httpx"} <= set(done.stdout.split())
    assert not {"msgraph", "msgraph_core", "kiota_http", "azure", "msal"} & set(done.stdout.split())


# batches, where the emulator is too well behaved -------------------------------------------------------------------


def mailbox(*answers: httpx.Response | Exception, tokens: Badge | None = None) -> tuple[GraphMailbox, Server]:
    server = Server(*answers)
    return GraphMailbox(plug(httpx.MockTransport(server), tokens=tokens), "u", FOLDER), server


def parts(*statuses: int) -> httpx.Response:
    return ok(responses=[{"id": str(n), "status": s, "body": {}} for n, s in enumerate(statuses)])


def new(stamp: str) -> New:
    return New(Kind.CONTACT, {"surname": stamp}, stamp)


async def test_a_part_that_is_missing_or_says_nothing_is_unclear() -> None:
    subject, _ = mailbox(parts(201))
    results = await subject.apply([new("a"), new("b")])
    assert all(isinstance(each, Unclear) for each in results)


async def test_a_batch_is_a_chain_with_unique_ids_and_preferences_on_each_part() -> None:
    subject, server = mailbox(parts(500, 424), parts(500))
    await subject.apply([new("a"), new("b")])
    first, second = (json.loads(each.content)["requests"] for each in server.asked)
    assert [each.get("dependsOn") for each in first] == [None, ["0"]]
    assert [each["body"]["surname"] for each in second] == ["b"], "the first one is not sent twice"
    for each in (*first, *second):
        assert each["headers"] == {"Prefer": 'IdType="ImmutableId"', "Content-Type": "application/json"}
        assert each["url"].startswith("/users/u/contactFolders/AQMkAFolder%3D/contacts")


class Locked(Badge):
    """The secret expires after the first token."""

    def __init__(self) -> None:
        super().__init__()
        self.used = 0

    async def get_token(self, *scopes: str, **options: object):  # type: ignore[no-untyped-def]
        self.used += 1
        if self.used > 1:
            raise StopConnector(Cause.SECRET_EXPIRED)
        return await super().get_token(*scopes)


async def test_an_obstacle_after_some_writes_does_not_hide_their_results() -> None:
    subject, _ = mailbox(parts(500, 424), tokens=Locked())
    lost, refused = await subject.apply([new("a"), new("b")])
    assert isinstance(lost, Unclear)
    assert (type(refused).__name__, refused.failure.code) == ("Refused", "secret_expired")  # type: ignore[union-attr]
    with pytest.raises(StopConnector):
        await subject.apply([new("b")])


async def test_a_partial_card_in_a_delta_is_read_whole() -> None:
    whole = {
        "id": "1", "@odata.etag": 'W/"2"', "givenName": "Anna", "surname": "Neri", "companyName": None,
        "emailAddresses": [], "businessPhones": [], "parentFolderId": FOLDER.id, "jobTitle": "J",
    }  # fmt: skip
    page = ok(value=[{"id": "1", "jobTitle": "J"}, {"id": "2", "@odata.type": "#microsoft.graph.contactList"}],
              **{"@odata.deltaLink": "http://127.0.0.1/v1.0/d"})  # fmt: skip
    subject, _ = mailbox(page, ok(responses=[{"id": "0", "status": 200, "body": whole}]))
    (told,) = [each async for each in subject.changes(None)]
    (item,) = told.items
    assert isinstance(item, Item)
    assert (item.fields["surname"], list(told.gone), told.last) == ("Neri", [], True)


async def test_the_last_word_on_an_id_counts_unless_it_is_an_older_state() -> None:
    def card(key: str, title: str, modified: str) -> dict[str, object]:
        return {"id": key, "jobTitle": title, "lastModifiedDateTime": modified, "parentFolderId": FOLDER.id,
                "givenName": "", "surname": "", "companyName": "", "emailAddresses": [], "businessPhones": []}  # fmt: skip

    removed = {"@removed": {"reason": "deleted"}}
    early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    one = ok(value=[card("a", "1", early), card("a", "2", late), {"id": "b", **removed}, card("b", "1", early),
                    card("c", "1", early), {"id": "c", **removed},
                    card("d", "1", late), {"id": "d", **removed}, card("d", "2", early)],
             **{"@odata.nextLink": "http://127.0.0.1/v1.0/n"})  # fmt: skip
    two = ok(value=[card("a", "1", early)], **{"@odata.deltaLink": "http://127.0.0.1/v1.0/d"})
    subject, _ = mailbox(one, two)
    first, last = [each async for each in subject.changes(None)]
    assert {each.id: each.fields["jobTitle"] for each in first.items} == {"a": "2", "b": "1", "d": "2"}
    assert (list(first.gone), first.cursor, list(last.items)) == (["c"], "", [])
    assert last.cursor == "http://127.0.0.1/v1.0/d"


async def test_a_page_without_any_link_is_not_an_end() -> None:
    subject, _ = mailbox(ok(value=[]))
    with pytest.raises(RetryLater):
        [each async for each in subject.changes(None)]
