"""Meetings of the Graph emulator: invitations as mails to count, copies of attendees, answers; judged by Microsoft's schema."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import STAMP, client, error, folded
from tests.contract.graph_meetings import (
    ANNA,
    BO,
    CARLA,
    EVA,
    STRANGER,
    Desk,
    answers,
    later,
    mailed,
    tenant,
    who,
)


@pytest.fixture
def graph() -> GraphEmulator:
    return tenant()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


@pytest.fixture
def desk(http: httpx.AsyncClient) -> Callable[[str], Desk]:
    return lambda user: Desk(http, user)


Desks = Callable[[str], Desk]


class TestInvitations:
    async def test_everybody_is_mailed_once_and_users_get_a_copy(self, graph: GraphEmulator, desk: Desks) -> None:
        stamp = [{"id": STAMP, "value": "42"}]
        sent = {"singleValueExtendedProperties": stamp, "transactionId": "t-1", "categories": ["Mine"], "showAs": "oof"}
        made = await desk(ANNA).meeting(BO, STRANGER, **sent)
        assert mailed(graph) == {("invitation", BO): 1, ("invitation", STRANGER): 1}
        copy = await desk(BO).only()
        assert copy["iCalUId"] == made["iCalUId"]
        assert copy["id"] != made["id"]
        assert (made["isOrganizer"], copy["isOrganizer"]) == (True, False)
        assert copy["organizer"]["emailAddress"] == {"name": "Anna Neri", "address": ANNA}
        assert (copy["transactionId"], copy["categories"], copy["showAs"]) == (None, [], "tentative")
        assert (made["responseStatus"]["response"], copy["responseStatus"]["response"]) == ("organizer", "notResponded")
        assert answers(made) == {BO: "none", STRANGER: "none"}
        assert answers(copy) == {ANNA: "organizer", BO: "none", STRANGER: "none"}
        assert graph.dump(BO)["events"][0]["extended"] == {}
        assert await desk(CARLA).all() == []
        [row, _] = graph.outlook.mails()
        assert row["at"] == "2026-11-01T08:00:00Z"
        assert (row["from"], row["iCalUId"], row["subject"]) == (ANNA, made["iCalUId"], "Call")
        assert (row["why"], row["by"]) == ("create", "app")

    async def test_a_repeated_post_mails_nobody_again(self, graph: GraphEmulator, desk: Desks) -> None:
        for _ in range(2):
            await desk(ANNA).meeting(BO, transactionId="t-1")
        assert mailed(graph) == {("invitation", BO): 1}
        assert len(await desk(BO).all()) == 1

    async def test_hidden_attendees_see_themselves_only(self, graph: GraphEmulator, desk: Desks) -> None:
        graph.quirks.copies_list_organizer = False
        await desk(ANNA).meeting(BO, CARLA, hideAttendees=True)
        assert answers(await desk(BO).only()) == {BO: "none"}

    @pytest.mark.parametrize(
        "fields",
        [
            {"categories": ["Blue"]},
            {"isReminderOn": False},
            {"reminderMinutesBeforeStart": 5},
            {"showAs": "free"},
            {"singleValueExtendedProperties": [{"id": STAMP, "value": "7"}]},
            {"attendees": who(BO, STRANGER)},
        ],
    )
    async def test_changes_that_nobody_hears_of(
        self, graph: GraphEmulator, desk: Desks, fields: dict[str, object]
    ) -> None:
        made = await desk(ANNA).meeting(BO, STRANGER)
        graph.world.post.reset()
        before = await desk(BO).only()
        await desk(ANNA).patch(made, **fields)
        assert mailed(graph) == {}
        assert await desk(BO).only() == before

    async def test_who_comes_and_who_goes_alone_are_mailed(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO, STRANGER)
        graph.world.post.reset()
        await desk(ANNA).patch(made, attendees=who(STRANGER, CARLA))
        assert mailed(graph) == {("cancellation", BO): 1, ("invitation", CARLA): 1}
        gone = await desk(BO).only()
        assert (gone["isCancelled"], gone["subject"], gone["showAs"]) == (True, "Canceled: Call", "free")
        assert (await desk(CARLA).only())["subject"] == "Call"
        await desk(ANNA).patch(made, attendees=who(STRANGER, BO))
        back = await desk(BO).only()
        assert (back["isCancelled"], back["subject"], back["id"]) == (False, "Call", gone["id"])

    async def test_anything_else_is_mailed_to_all_before_or_after(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO, STRANGER)
        graph.world.post.reset()
        await desk(ANNA).patch(made, subject="New", attendees=who(BO, CARLA))
        assert mailed(graph) == {("update", BO): 1, ("cancellation", STRANGER): 1, ("invitation", CARLA): 1}

    async def test_the_same_values_again_mail_unless_switched(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        graph.world.post.reset()
        await desk(ANNA).patch(made, subject="Call", start=made["start"])
        assert mailed(graph) == {("update", BO): 1}
        graph.quirks.unchanged_patch = "silent"
        await desk(ANNA).patch(made, subject="Call", start=made["start"])
        assert mailed(graph) == {("update", BO): 1}
        await desk(ANNA).patch(made, **later())
        assert mailed(graph) == {("update", BO): 2}

    async def test_cancelling_and_deleting(self, graph: GraphEmulator, http: httpx.AsyncClient, desk: Desks) -> None:
        for way in ("delete", "cancel"):
            made = await desk(ANNA).meeting(BO, STRANGER)
            graph.world.post.reset()
            if way == "delete":
                assert (await desk(ANNA).delete(made)).status_code == 204
            else:
                assert (await desk(ANNA).do(made, "cancel", comment="Sorry")).status_code == 202
            assert mailed(graph, why=way) == {("cancellation", BO): 1, ("cancellation", STRANGER): 1}
            assert await desk(ANNA).all() == []
            copy = await desk(BO).only()
            assert (copy["isCancelled"], copy["subject"]) == (True, "Canceled: Call")
            assert error(await desk(BO).do(copy, "cancel"))[0] == 400
            assert error(await desk(BO).do(copy, "accept"))[0] == 400
            assert (await desk(BO).delete(copy)).status_code == 204
            assert sum(mailed(graph).values()) == 2

    async def test_a_cancelled_copy_may_refuse_to_be_deleted(self, graph: GraphEmulator, desk: Desks) -> None:
        await desk(ANNA).delete(await desk(ANNA).meeting(BO))
        graph.quirks.delete_cancelled = 410
        assert (await desk(BO).delete(await desk(BO).only())).status_code == 410

    async def test_nobody_invites_himself_and_five_hundred_are_the_most(
        self, graph: GraphEmulator, http: httpx.AsyncClient, desk: Desks
    ) -> None:
        await desk(ANNA).meeting(ANNA, BO, BO.upper())
        assert mailed(graph) == {("invitation", BO): 1}
        many = {"subject": "All", **later(), "attendees": who(*(f"g{n}@x.example" for n in range(501)))}
        assert (await http.post(f"/users/{ANNA}/events", json=many)).status_code == 400

    async def test_late_mail_waits_for_the_postman(self, graph: GraphEmulator, desk: Desks) -> None:
        graph.quirks.delivery = "late"
        made = await desk(ANNA).meeting(BO, CARLA, STRANGER)
        assert await desk(BO).all() == []
        await desk(ANNA).patch(made, attendees=who(BO, STRANGER))
        assert sum(mailed(graph).values()) == 4
        assert graph.outlook.deliver() == 4
        assert await desk(CARLA).all() == []
        assert (await desk(BO).only())["subject"] == "Call"
        assert graph.outlook.deliver() == 0


class TestAnswers:
    async def test_an_answer_reaches_the_organizer(
        self, graph: GraphEmulator, http: httpx.AsyncClient, desk: Desks
    ) -> None:
        made = await desk(ANNA).meeting(BO, CARLA, showAs="oof")
        window = f"/users/{ANNA}/calendarView/delta?startDateTime=2026-11-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z"
        _, link = await folded(http, window)
        graph.world.post.reset()
        answer = await desk(BO).do(await desk(BO).only(), "accept", Comment="Gladly", SendResponse=True)
        assert (answer.status_code, answer.content) == (202, b"")
        assert mailed(graph) == {("response", ANNA): 1}
        assert graph.outlook.mails()[0]["subject"] == "Accepted: Call"
        changed, link = await folded(http, link)
        assert answers(changed[made["id"]]) == {BO: "accepted", CARLA: "none"}
        assert changed[made["id"]]["@odata.etag"] != made["@odata.etag"]
        copy = await desk(BO).only()
        assert (copy["responseStatus"]["response"], copy["showAs"]) == ("accepted", "oof")
        assert answers(copy)[BO] == "none"
        graph.quirks.answers_touch_event = False
        await desk(CARLA).do(await desk(CARLA).only(), "tentativelyAccept")
        assert (await folded(http, link))[0] == {}
        assert answers(await desk(ANNA).read(made)) == {BO: "accepted", CARLA: "tentativelyAccepted"}

    async def test_without_a_response_nobody_hears(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        graph.world.post.reset()
        await desk(BO).do(await desk(BO).only(), "accept", sendResponse=False)
        assert mailed(graph) == {}
        assert await desk(ANNA).read(made) == made
        assert (await desk(BO).only())["responseStatus"]["response"] == "accepted"

    async def test_declining_takes_the_copy_away(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        copy = await desk(BO).only()
        assert (await desk(BO).do(copy, "decline")).status_code == 202
        assert await desk(BO).all() == []
        assert (await desk(BO).read(copy))["responseStatus"]["response"] == "declined"  # in Deleted Items (5.1)
        assert error(await desk(BO).do(copy, "accept")) == (404, "ErrorItemNotFound")
        assert answers(await desk(ANNA).read(made)) == {BO: "declined"}
        await desk(ANNA).patch(made, subject="Other")
        assert await desk(BO).all() == []
        await desk(ANNA).patch(made, **later())
        assert (await desk(BO).only())["responseStatus"]["response"] == "notResponded"

    async def test_what_was_deleted_may_come_back_with_any_update(self, graph: GraphEmulator, desk: Desks) -> None:
        graph.quirks.deleted_copies = "come_back"
        made = await desk(ANNA).meeting(BO)
        await desk(BO).delete(await desk(BO).only())
        await desk(ANNA).patch(made, subject="Other")
        assert (await desk(BO).only())["subject"] == "Other"

    async def test_deleting_a_copy_is_no_answer(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        graph.world.post.reset()
        await desk(BO).delete(await desk(BO).only())
        assert mailed(graph) == {}
        assert await desk(ANNA).read(made) == made

    async def test_what_is_refused(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO, allowNewTimeProposals=False)
        copy = await desk(BO).only()
        for action in ("accept", "tentativelyAccept", "decline"):
            assert error(await desk(ANNA).do(made, action)) == (400, "ErrorInvalidRequest")
        assert "need to be an organizer" in (await desk(BO).do(copy, "cancel")).json()["error"]["message"]
        assert error(await desk(BO).do(made, "accept")) == (404, "ErrorItemNotFound")  # the organizer's id (docs#14370)
        assert (await desk(BO).do(copy, "accept", sendResponse="yes")).status_code == 400
        assert (await desk(BO).do(copy, "decline", proposedNewTime=later())).status_code == 400
        assert (await desk(BO).do(copy, "accept", proposedNewTime=later())).status_code == 400
        assert (await desk(BO).only())["responseStatus"]["response"] == "notResponded"

    async def test_another_time_is_proposed(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        copy = await desk(BO).only()
        given = {"proposedNewTime": later()}
        assert (await desk(BO).do(copy, "tentativelyAccept", sendResponse=False, **given)).status_code == 400
        assert (await desk(BO).do(copy, "tentativelyAccept", **given)).status_code == 202
        [guest] = (await desk(ANNA).read(made))["attendees"]
        assert guest["proposedNewTime"]["start"] == {"dateTime": "2026-11-23T14:00:00.0000000", "timeZone": "UTC"}

    async def test_answers_stay_until_the_meeting_moves(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        await desk(BO).do(await desk(BO).only(), "accept")
        shown = await desk(ANNA).patch(made, subject="New", attendees=who(BO, CARLA))
        assert answers(shown) == {BO: "accepted", CARLA: "none"}
        assert (await desk(BO).only())["responseStatus"]["response"] == "accepted"
        moved = await desk(ANNA).patch(made, **later())
        assert answers(moved) == {BO: "notResponded", CARLA: "none"}
        copy = await desk(BO).only()
        assert (copy["responseStatus"]["response"], copy["showAs"]) == ("notResponded", "tentative")

    async def test_an_answer_to_an_older_time_counts_for_nothing(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        graph.quirks.delivery = "late"
        await desk(BO).do(await desk(BO).only(), "accept")
        await desk(ANNA).patch(made, **later())
        graph.outlook.deliver()
        assert answers(await desk(ANNA).read(made)) == {BO: "none"}
        assert (await desk(BO).only())["responseStatus"]["response"] == "notResponded"

    async def test_a_sent_status_accepts_but_does_not_decline(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO, CARLA)
        listed = [{**each, "status": {"response": "declined"}} for each in who(BO)]
        listed += [{**each, "status": {"response": "accepted", "time": "2026-11-01T08:00:00Z"}} for each in who(CARLA)]
        shown = await desk(ANNA).patch(made, attendees=listed)
        assert answers(shown) == {BO: "notResponded", CARLA: "accepted"}


class TestCopies:
    async def test_what_is_the_copys_own_and_what_is_not(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO, reminderMinutesBeforeStart=30)
        copy = await desk(BO).only()
        assert copy["reminderMinutesBeforeStart"] == 30
        graph.world.post.reset()
        own = {"categories": ["Car"], "reminderMinutesBeforeStart": 5, "showAs": "busy"}
        await desk(BO).patch(copy, subject="Mine", **own, **later())
        assert mailed(graph) == {}
        assert await desk(ANNA).read(made) == made
        assert (await desk(BO).only())["subject"] == "Mine"
        await desk(ANNA).patch(made, body={"contentType": "text", "content": "agenda"}, categories=["Hers"])
        after = await desk(BO).only()
        assert (after["subject"], after["start"], after["bodyPreview"]) == ("Call", made["start"], "agenda")
        assert {name: after[name] for name in own} == own

    async def test_a_mailbox_without_a_licence_gets_no_copy(self, graph: GraphEmulator, desk: Desks) -> None:
        graph.set_user(BO, licensed=False)
        await desk(ANNA).meeting(BO)
        assert mailed(graph) == {("invitation", BO): 1}
        assert graph.dump(BO)["events"] == []

    async def test_a_strangers_meeting_mails_the_stranger_alone(self, graph: GraphEmulator, desk: Desks) -> None:
        boss = {"name": "Boss", "address": STRANGER}
        fields = {"subject": "Visit", **later(), "attendees": who(BO, EVA)}
        event = graph.outlook.create_event(BO, fields, organizer=boss, uid="ABC")
        assert mailed(graph) == {}
        assert (await desk(BO).do({"id": event}, "accept")).status_code == 202
        assert mailed(graph) == {("response", STRANGER): 1}
        graph.outlook.cancel_meeting(BO, event)
        assert (await desk(BO).only())["subject"] == "Canceled: Visit"
