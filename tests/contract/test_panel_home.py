"""The first page and those of mailboxes and holds: state and its three buttons, what mends what, answers to exactly what was shown (SPEC 4)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from control.texts import table
from sync import poison, progress, watches
from sync.errors import Cause, StopConnector
from sync.model import Family, Item, Kind, Reason, Side
from sync.store import tally
from sync.store.asking import HoldRow
from sync.watches import Place, Refused, Watch
from tests.contract.api_world import Api
from tests.contract.panel_world import Browser
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World

HOME = "/api/panel"
HOLD = HoldRow(
    "h" * 22,
    ANNAS,
    Kind.CONTACT,
    Side.CRM,
    Reason.DELETE_BRAKE,
    "2026-03-02T08:00:00+00:00",
    count=12,
    items=("4x1", "4x2"),
)


@pytest.fixture
async def api() -> Api:
    api = Api(World())
    for user in (ANNA, BRUNO):
        await api.ask("user_put", {"enabled": True}, id=user)
    return api


async def test_kill_and_restore_by_the_buttons(api: Api, browser: Browser) -> None:
    page = await browser.open(HOME)
    assert page.soup.select_one("#state .badge").get_text() == "running"  # type: ignore[union-attr]
    killed = await browser.send(page, "form#kill")
    assert killed.said.startswith("Everything was stopped")
    assert (await api.world.board.read()).state == "killed"
    assert killed.soup.select_one("#state .badge").get_text() == "KILL"  # type: ignore[union-attr]
    refused = await browser.send(killed, "form#run")
    assert refused.status == 409
    restored = await browser.send(killed, "form#restore-state")
    assert restored.said.startswith("Both connections work")
    assert (await api.world.board.read()).state == "running"
    assert (await browser.send(restored, "form#restore-attempts")).said == "The counters of attempts are at zero."
    assert (await browser.send(restored, "form#run")).said == "Started: mailboxes that are run now: 2."


async def test_run_now_says_that_all_mailboxes_run_but_those_that_may_not(api: Api, browser: Browser) -> None:
    page = await browser.open(HOME)
    for words in ("every mailbox", "also where nothing is known to have changed", "off, in error or pausing"):
        assert words in page.one("section:has(form#run)").get_text()
    await api.world.registry.change_mailbox(BRUNOS, state="error", cause="reconnect")
    assert (await browser.send(page, "form#run")).said == "Started: mailboxes that are run now: 1."


async def test_a_restore_that_fails_says_which_connection_and_why(api: Api, browser: Browser) -> None:
    await browser.send(await browser.open(HOME), "form#kill")
    api.world.servers.graph_fails = StopConnector(Cause.SECRET_EXPIRED)
    refused = await browser.send(await browser.open(HOME), "form#restore-state")
    assert refused.status == 409
    assert table()["cause"]["secret_expired"]["en"] in refused.said
    assert (await api.world.board.read()).state == "killed"


async def test_when_attempts_are_used_up_it_says_so_and_promises_no_more_of_them(api: Api) -> None:
    for _ in range(5):
        await api.world.board.failed("graph_unreachable", api.world.now())
        api.world.pass_time(120)
    async with Browser(api, "it") as browser:
        page = await browser.open(HOME)
    assert page.one("#state .badge.stopped ~ strong")
    assert page.one("#attempts").get_text() == "Tentativi usati: 5 di 5"
    assert "riproviamo" not in page.one("#state").get_text().lower()


async def test_the_cron_row_and_the_predecessors_buttons_in_italian(api: Api) -> None:
    async with Browser(api, "it") as browser:
        page = await browser.open(HOME)
        text = page.text.upper()
        for label in (
            "PANNELLO DI CONTROLLO",
            "KILL",
            "RIPRISTINA STATO",
            "RIPRISTINA TENTATIVI",
            "EXCHANGECONTROLCRON",
            "LAST RUN",
            "300 S",
        ):
            assert label in text
        assert {"Mappatura campi Exchange", "Mappatura campi Calendario"} <= {
            a.get_text() for a in page.soup.select("nav a")
        }


async def test_the_last_day_is_drawn(api: Api, browser: Browser) -> None:
    written = Counter({(Side.MAILBOX, Kind.CONTACT, "created"): 40, (Side.CRM, Kind.EVENT, "changed"): 10})
    await tally.add(api.world.rows, ANNAS, api.world.now(), written)
    await tally.add(api.world.rows, BRUNOS, api.world.now(), Counter(), "graph_unreachable")
    page = await browser.open(HOME)
    assert len(page.soup.select("svg g")) == 24
    last = page.soup.select("svg g")[-1]
    assert last.title.get_text() == "08:00 UTC: 40 to Exchange, 10 to vtenext, 1 failed runs"  # type: ignore[union-attr]
    up, down = (int(str(each["height"])) for each in last.select("rect"))
    assert up > down > 0
    assert last.select("circle")


async def test_a_mailbox_that_stands_still_has_a_sentence_and_a_button(api: Api, browser: Browser) -> None:
    await api.world.registry.change_mailbox(ANNAS, state="error", cause="folder_deleted")
    page = await browser.open(HOME)
    assert table()["cause"]["folder_deleted"]["en"] in page.text
    assert "Anna Rossi" in page.text
    boxes = await browser.open(f"{HOME}/mailboxes")
    assert len(boxes.soup.select("tbody tr")) == 2
    assert boxes.soup.select("tbody form[action$=restore-state]")
    done = await browser.send(boxes, "tbody form[action$=restore-state]")
    assert "1 mailboxes were put back to work" in done.said
    one = await browser.open(f"{HOME}/mailboxes?limit=1")
    assert [row.th.get_text() for row in one.soup.select("tbody tr")] == ["Anna Rossi"]  # type: ignore[union-attr]
    two = await browser.open(str(one.one("a[rel=next]")["href"]))
    assert [row.th.get_text() for row in two.soup.select("tbody tr")] == ["Bruno Verdi"]  # type: ignore[union-attr]


async def test_messages_that_were_given_up_are_shown_until_the_state_is_restored(api: Api, browser: Browser) -> None:
    assert not (await browser.open(HOME)).soup.select("#poison")
    for mailbox in (ANNAS, ""):
        await poison.failed(api.world.rows, mailbox, "Broken", "case-7")
        await poison.note(api.world.rows, mailbox, api.world.now())
    page = await browser.open(HOME)
    rows = [row.get_text(" ", strip=True) for row in page.soup.select("#poison tbody tr")]
    assert rows == [
        "Anna Rossi 2026-03-02 08:00 UTC case-7 Broken",
        "the look at vtenext 2026-03-02 08:00 UTC case-7 Broken",
    ]
    restored = await browser.send(page, "form#restore-state")
    assert not restored.soup.select("#poison")


async def test_forged_notifications_are_counted_only_when_there_were_some(api: Api, browser: Browser) -> None:
    assert "none of ours" not in (await browser.open(HOME)).text
    await api.app.strangers.add(3, api.world.now())
    assert "none of ours, not heeded: 3; the last one 2026-03-02 08:00 UTC" in (await browser.open(HOME)).text


@pytest.mark.parametrize(
    ("watched", "shown"),
    [
        (
            watches.Watches(tuple(Watch(Place(family), family, "2030") for family in (Family.PEOPLE, Family.CALENDAR))),
            ("within seconds: events, contacts and companies.",),
        ),
        (
            watches.Watches(refused=(Refused(Place(Family.PEOPLE), "notifications_refused", ""),)),
            (table()["cause"]["notifications_refused"]["en"],),
        ),
        (watches.Watches(), ()),
    ],
)
async def test_how_soon_changes_in_a_mailbox_are_noticed(
    api: Api, browser: Browser, watched: watches.Watches, shown: tuple[str, ...]
) -> None:
    await api.world.registry.change_mailbox(ANNAS, watches=watches.write(watched))
    page = await browser.open(f"{HOME}/mailboxes/{ANNAS}")
    lines = [each.get_text() for each in page.soup.select("#box > p.small")]
    assert len(lines) == len(shown)
    assert all(line.endswith(end) for line, end in zip(lines, shown, strict=True))


async def test_who_pressed_kill_and_when(api: Api) -> None:
    await api.world.board.enter("killed", api.world.now(), by=ANNAS)
    async with Browser(api, "it") as browser:
        state = (await browser.open(HOME)).one("#state").get_text(" ", strip=True)
    assert "Da Anna Rossi, dal 02/03/2026 08:00 UTC" in state


async def test_all_that_stand_still_are_counted_and_paged_through(api: Api) -> None:
    ids = [f"0000{n:04d}-0000-4000-8000-000000000000" for n in range(60)]
    for number, id_ in enumerate(ids):
        await api.world.registry.change_mailbox(
            id_,
            user=f"19x{100 + number}",
            enabled=True,
            state="error",
            cause="reconnect" if number % 2 else "mailbox_full",
        )
    async with Browser(api, "it") as browser:
        assert "Caselle ferme: 25 di 60" in (await browser.open(HOME)).one("#mailboxes").get_text()
        for state, expected in (("trouble", ids), ("reconnect", ids[1::2])):
            page, shown = await browser.open(f"{HOME}/mailboxes?state={state}"), []
            assert f"({len(expected)})" in page.one(".tabs [aria-current]").get_text()
            while True:
                shown += [str(a["href"]).rpartition("/")[2] for a in page.soup.select("#mailboxes tbody th a")]
                if not (following := page.soup.select("a[rel=next]")):
                    break
                page = await browser.open(str(following[0]["href"]))
            assert shown == expected
        assert not (await browser.open(f"{HOME}/mailboxes?state=odd")).soup.select(".tabs [aria-current]")


async def test_a_first_filling_is_watched(api: Api, browser: Browser) -> None:
    so_far = progress.write({Family.PEOPLE: progress.Progress(items=3000, items_done=1240)})
    await api.world.registry.change_mailbox(ANNAS, progress=so_far, holder="w", expires="2030-01-01T00:00:00+00:00")
    page = await browser.open(f"{HOME}/mailboxes")
    assert "First synchronisation: 1,240 of 3,000" in page.text
    assert "First synchronisation under way in mailboxes: 2" in (await browser.open(HOME)).text
    assert page.one("progress")["value"] == "1240"


async def test_the_progress_of_a_resynchronisation(api: Api, browser: Browser) -> None:
    assert not (await browser.open(HOME)).soup.select("#resync progress")
    await api.ask("settings_put", {"horizon_days": 30})
    page = await browser.open(HOME)
    assert "0 of 2 mailboxes done" in page.text
    assert page.one("#resync")["data-live"] == "3"


async def test_a_hold_is_approved_as_it_was_shown(api: Api, browser: Browser) -> None:
    await api.world.registry.put_hold(HOLD)
    listed = await browser.open(f"{HOME}/holds")
    assert table()["reason"]["delete_brake"]["en"] in listed.text
    page = await browser.open(f"{HOME}/holds/{HOLD.id}")
    assert "12" in page.text
    await api.world.registry.put_hold(replace(HOLD, count=700, version=2))
    refused = await browser.send(page, "form#answer", ("approve", "1"))
    assert refused.status == 412, "it grew since it was looked at"
    assert (await api.ask("hold", id=HOLD.id))[1]["state"] == "open"
    approved = await browser.send(refused, "form#answer", ("approve", "1"))
    assert approved.said.startswith("Approved for 24 hours")
    assert not approved.soup.select("form#answer")
    assert "Nothing waits" in (await browser.open(f"{HOME}/holds")).text
    assert HOLD.id in (await browser.open(f"{HOME}/holds?state=approved")).source


async def test_of_several_candidates_one_is_chosen(api: Api, browser: Browser) -> None:
    several = replace(HOLD, because=Reason.SEVERAL_CANDIDATES, candidates=("4x7", "4x8"), count=1, items=("c1",))
    await api.world.registry.put_hold(several)
    page = await browser.open(f"{HOME}/holds/{HOLD.id}")
    assert [str(each["value"]) for each in page.soup.select("[name=choice]")] == ["4x7", "4x8", "new"]
    assert (await browser.send(page, "form#answer", ("approve", "1"))).status == 400, "nothing was chosen"
    assert (await browser.send(page, "form#answer", ("approve", "1"), choice="4x8")).status == 200
    assert (await api.ask("hold", id=HOLD.id))[1]["choice"] == "4x8"


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        ("2026-11-23T09:00Z/2026-11-23T10:00Z", "23/11/2026 09:00 UTC - 23/11/2026 10:00 UTC"),
        ("2026-11-23/2026-11-24", "23/11/2026 - 24/11/2026"),
        ("2026-11-23/2026-11-23", "23/11/2026"),
    ],
)
async def test_when_a_held_event_is(api: Api, when: str, shown: str) -> None:
    await api.world.registry.put_hold(replace(HOLD, kind=Kind.EVENT, items=("18x1",), count=1))
    event = Item(side=Side.CRM, kind=Kind.EVENT, id="18x1", fields={"subject": "Fiera", "when": when}, version="1")
    api.world.servers.items = {"18x1": event}
    async with Browser(api, "it") as browser:
        items = (await browser.open(f"{HOME}/holds/{HOLD.id}")).one("#items li").get_text(" ", strip=True)
    assert items.startswith(f"Fiera {shown} vtenext")


async def test_names_are_there_after_a_refusal_too_and_whose_it_is(api: Api, browser: Browser) -> None:
    several = replace(HOLD, because=Reason.SEVERAL_CANDIDATES, candidates=("4x7", "4x8"), count=1, items=("c1",))
    await api.world.registry.put_hold(several)
    api.world.servers.items = {
        id_: Item(side=Side.CRM, kind=Kind.CONTACT, id=id_, fields={"firstname": "Ugo", "lastname": name}, version="1")
        for id_, name in (("4x7", "Uno"), ("4x8", "Due"))
    }
    page = await browser.open(f"{HOME}/holds/{HOLD.id}")
    labels = [each.get_text(strip=True) for each in page.soup.select("form#answer label")]
    assert labels[:2] == ["Ugo Uno", "Ugo Due"]
    refused = await browser.send(page, "form#answer", ("approve", "1"))
    assert refused.status == 400
    assert [each.get_text(strip=True) for each in refused.soup.select("form#answer label")] == labels
    assert "Anna Rossi" in page.one("dl.facts").get_text()
    assert "Anna Rossi" in (await browser.open(f"{HOME}/holds")).one("tbody").get_text()


@pytest.mark.parametrize("because", [Reason.MAIL_LIMIT, Reason.WITHHELD])
async def test_where_a_hold_counts_mails_it_says_so(api: Api, because: Reason) -> None:
    await api.world.registry.put_hold(replace(HOLD, kind=Kind.EVENT, because=because, count=35, items=("18x1",)))
    async with Browser(api, "it") as browser:
        page = await browser.open(f"{HOME}/holds/{HOLD.id}")
        facts = page.one("dl.facts").get_text(" ", strip=True)
        assert "E-mail che partirebbero 35" in facts
        assert "altri" not in page.one("#items").get_text()
        assert "e-mail: 35" in (await browser.open(f"{HOME}/holds")).one("tbody").get_text()


async def test_a_rejected_hold_changes_nothing(api: Api, browser: Browser) -> None:
    await api.world.registry.put_hold(HOLD)
    page = await browser.open(f"{HOME}/holds/{HOLD.id}")
    assert (await browser.send(page, "form#answer", ("reject", "1"))).said.startswith("Rejected")


async def test_answers_over_http_need_the_version(api: Api) -> None:
    from tests.contract.api_world import HEADERS

    await api.world.registry.put_hold(HOLD)
    route = {"id": HOLD.id}
    _, shown = await api.ask("hold", id=HOLD.id)
    for name in ("hold_approve", "hold_reject"):
        assert (await api.raw(name, {**HEADERS, "If-Match": ""}, b"{}", route=route)).status_code == 428
        assert (await api.raw(name, {**HEADERS, "If-Match": '"0"'}, b"{}", route=route)).status_code == 412
    assert (
        await api.raw("hold_approve", {**HEADERS, "If-Match": str(shown["version"])}, b"{}", route=route)
    ).status_code == 200


@pytest.mark.parametrize("lang", ["it", "en"])
@pytest.mark.parametrize(
    "path",
    [
        "", "/mailboxes", "/mailboxes?state=trouble", "/mailboxes?state=reconnect", f"/mailboxes/{ANNAS}", f"/mailboxes/{ANNAS}?because=all",
        "/holds", "/holds?state=all",
        "/users", f"/users/{ANNA}", f"/users/{ANNA}/removal", f"/users/{ANNA}/disconnect",
        f"/holds/{HOLD.id}", "/mapping/contact", "/mapping/company", "/calendar-mapping", "/groups", "/groups/22x3",
        "/settings", "/settings/edit", "/audit", f"/journal?mailbox={ANNAS}&family=people&run=1",
    ],
)  # fmt: skip
async def test_every_page_opens_in_both_languages(api: Api, lang: str, path: str) -> None:
    await api.world.registry.put_hold(HOLD)
    async with Browser(api, lang) as browser:
        page = await browser.open(HOME + path)
    assert page.status == 200
    assert page.one("html")["lang"] == lang
    assert page.one("h1").get_text().strip()
    controls = page.soup.select("main input:not([type=hidden]), main select, main textarea")
    named = [
        each for each in controls if each.get("aria-label") or each.get("aria-labelledby") or each.find_parent("label")
    ]
    assert len(named) == len(controls), "each control has a name"


@pytest.mark.parametrize(
    "path",
    [
        "/mailboxes/nobody",
        "/holds/none",
        "/users/19x4711",
        "/mapping/event",
        "/journal/x",
        f"/history?mailbox={ANNAS}&family=people&id=4x1",
        "/groups/22x99",
    ],
)
async def test_what_is_not_there_is_a_page_too(api: Api, browser: Browser, path: str) -> None:
    page = await browser.open(HOME + path)
    assert page.status == 404
    assert page.said
