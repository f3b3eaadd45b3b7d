"""The vtenext side over the emulator: the contract of a CRM, then the traps that only vtenext has (API.md 0)."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

from sync.errors import Cause, RetryLater
from sync.model import Gone, Item, Kind, Proof, Unread
from sync.sides.base import Done, NaturalKey, New, Refused, Remove, Revise, Unclear
from sync.sides.vtenext import USER_AGENT, VtenextCrm
from tests.contract.crm_contract import CrmContract, changed, item_in, owned, read, status_of
from tests.contract.vtenext_world import VtenextWorld


@pytest.fixture
def world() -> VtenextWorld:
    return VtenextWorld()


def people(world: VtenextWorld, number: int) -> list[str]:
    return [world.add(Kind.CONTACT, {"lastname": f"N{n}"}, world.owners[0]) for n in range(number)]


class TestVtenextCrm(CrmContract):
    @pytest.fixture
    def world(self) -> VtenextWorld:
        return VtenextWorld()

    async def test_a_company_carries_our_stamp(self, world: VtenextWorld) -> None:
        new = New(Kind.COMPANY, {"accountname": "Acme"}, "token-7", world.owners[0])
        item = item_in((await world.crm.apply([new]))[0])
        assert (await read(world, Kind.COMPANY, item.id)).stamp == item.stamp == "token-7"


class TestChanges:
    async def test_more_records_in_one_second_than_a_page_holds(self, world: VtenextWorld) -> None:
        """The naive loop would ask for the same second for ever (ws-get-changes-same-second)."""
        crowd = people(world, 1100)
        world.wait(3)
        late = people(world, 1)
        items, _, _ = await changed(world, Kind.CONTACT, "")
        assert set(items) == {*crowd, *late}
        cursor = world.iso_now()
        world.wait(1)
        world.emulator.corner.counts.clear()
        await changed(world, Kind.CONTACT, cursor)
        assert world.requests("get_changes") == 1

    async def test_pages_within_a_crowded_second_end(self, world: VtenextWorld) -> None:
        second = world.iso_now()
        crowd = people(world, 1100)
        world.wait(9)
        late = people(world, 1)
        items, _, _ = await changed(world, Kind.CONTACT, second)
        assert set(items) == {*crowd, *late}
        assert world.requests("get_changes") < 6

    async def test_a_save_that_commits_late_is_seen_by_the_next_sweep(self, world: VtenextWorld) -> None:
        (record,) = people(world, 1)
        world.wait(600)
        _, _, cursor = await changed(world, Kind.CONTACT, "")
        saved = world.now()
        world.clock.advance(-60)
        world.back.edit(record, {"phone": "late"})
        world.clock.set(saved)
        assert (await changed(world, Kind.CONTACT, cursor))[0][record].fields["phone"] == "late"

    async def test_nothing_is_missed_when_clocks_are_set_back(self) -> None:
        """03:00 becomes 02:00 in Rome: saves of the second hour look older than what was read in the first."""
        world = VtenextWorld(start=datetime(2026, 10, 25, 0, 50, tzinfo=UTC))  # 02:50, for the first time
        (record,) = people(world, 1)
        world.wait(1)
        _, _, cursor = await changed(world, Kind.CONTACT, "")
        world.wait(900)  # 02:05, for the second time
        world.back.edit(record, {"phone": "second hour"})
        world.wait(1)
        items, _, _ = await changed(world, Kind.CONTACT, cursor)
        assert items[record].fields["phone"] == "second hour"

    async def test_a_restored_record_is_a_change_and_no_claim(self, world: VtenextWorld) -> None:
        record, _ = people(world, 2)
        world.delete(Kind.CONTACT, record)
        world.wait(1)
        world.back.restore(record)
        items, gone, _ = await changed(world, Kind.CONTACT, "")
        assert record in items
        assert record not in gone

    async def test_times_are_utc_in_items(self, world: VtenextWorld) -> None:
        (record,) = people(world, 1)
        item = await read(world, Kind.CONTACT, record)
        assert (item.version, item.modified) == ("2026-11-23 12:00:00", "2026-11-23T11:00:00Z")


class TestPresence:
    async def test_a_broken_owner_hides_nobody_else(self, world: VtenextWorld) -> None:
        records = people(world, 150)
        world.poison(Kind.CONTACT, [records[3], records[140]])
        present = await world.crm.get(Kind.CONTACT, records)
        bad = {record for record, now in present.items() if isinstance(now, Unread)}
        assert bad == {records[3], records[140]}
        assert {type(present[record]) for record in set(records) - bad} == {Item}

    async def test_a_lonely_broken_record_is_not_called_gone(self, world: VtenextWorld) -> None:
        (record,) = people(world, 1)
        world.poison(Kind.CONTACT, [record])
        assert await world.crm.get(Kind.CONTACT, [record]) == {record: Unread(record, "broken owner")}

    async def test_broken_records_are_found_and_walked(self, world: VtenextWorld) -> None:
        records = people(world, 3)
        world.poison(Kind.CONTACT, [records[1]])
        found = await world.crm.find([NaturalKey(Kind.CONTACT, family=name) for name in ("N0", "N1")])
        assert [[(item.id, item.owner) for item in items] for items in found] == [
            [(records[0], world.owners[0])],
            [(records[1], "")],
        ]
        assert await owned(world, Kind.CONTACT, "") == records

    async def test_the_last_record_of_a_module_is_proven_by_the_deleted_list(self, world: VtenextWorld) -> None:
        (record,) = people(world, 1)
        world.delete(Kind.CONTACT, record)
        assert await world.crm.get(Kind.CONTACT, [record]) == {record: Gone(record, Proof.IN_DELETED_LIST)}

    async def test_in_an_empty_module_nothing_unknown_is_proven(self, world: VtenextWorld) -> None:
        (record,) = people(world, 1)
        world.delete(Kind.CONTACT, record)
        world.back.empty_recycle_bin()
        assert isinstance((await world.crm.get(Kind.CONTACT, [record]))[record], Unread)

    async def test_ids_of_other_modules_are_unread(self, world: VtenextWorld) -> None:
        people(world, 1)
        company = world.add(Kind.COMPANY, {"accountname": "Acme"}, world.owners[0])
        foreign = "4x" + company.partition("x")[2]
        present = await world.crm.get(Kind.CONTACT, [foreign, "nonsense"])
        assert present == {
            foreign: Unread(foreign, "INVALID_ID_ATTRIBUTE"),
            "nonsense": Unread("nonsense", "ACCESS_DENIED"),
        }

    async def test_an_emptied_recycle_bin_is_still_a_proof(self, world: VtenextWorld) -> None:
        record, _ = people(world, 2)
        world.delete(Kind.CONTACT, record)
        world.back.empty_recycle_bin()
        assert (await world.crm.get(Kind.CONTACT, [record]))[record] == Gone(record, Proof.NOT_FOUND)

    async def test_a_column_that_the_crm_does_not_know_is_not_asked_for(self, world: VtenextWorld) -> None:
        (record,) = people(world, 1)
        crm = VtenextCrm(world.client, fields={Kind.CONTACT: ("lastname", "cf_removed")})
        item = (await crm.get(Kind.CONTACT, [record]))[record]
        assert isinstance(item, Item)
        assert "cf_removed" not in item.fields

    async def test_the_name_of_a_deleted_account_is_empty(self, world: VtenextWorld) -> None:
        company = world.add(Kind.COMPANY, {"accountname": "Acme"}, world.owners[0])
        record = world.add(Kind.CONTACT, {"lastname": "N", "account_id": company}, world.owners[0])
        before = await read(world, Kind.CONTACT, record)
        world.delete(Kind.COMPANY, company)
        after = await read(world, Kind.CONTACT, record)
        assert (before.fields["account_name"], after.fields["account_name"]) == ("Acme", "")
        assert after.version == before.version


class TestSearch:
    @pytest.mark.parametrize("name", ["D'Angelo", "O''Hara", "back\\slash", "50%_x", "Ñandú è ü", 'say "hi"', "a;b--"])
    async def test_any_name_can_be_looked_for(self, world: VtenextWorld, name: str) -> None:
        record = world.add(Kind.CONTACT, {"firstname": "Ugo", "lastname": name}, world.owners[0])
        company = world.add(Kind.COMPANY, {"accountname": name}, world.owners[0])
        people(world, 2)
        found = await world.crm.find([NaturalKey(Kind.CONTACT, given="Ugo", family=name)])
        assert [item.id for item in found[0]] == [record]
        assert await world.crm.accounts_named([name]) == {name: (company,)}

    async def test_an_emoji_is_looked_for_as_the_database_holds_it(self, world: VtenextWorld) -> None:
        (item,) = [
            item_in(result)
            for result in await world.crm.apply(
                [New(Kind.CONTACT, {"firstname": "Ugo", "lastname": "Sole \U0001f31e"}, "", world.owners[0])]
            )
        ]
        assert item.fields["lastname"] == "Sole ????"
        found = await world.crm.find([NaturalKey(Kind.CONTACT, given="Ugo", family="Sole \U0001f31e")])
        assert [one.id for one in found[0]] == [item.id]

    async def test_a_name_cut_elsewhere_is_found(self, world: VtenextWorld) -> None:
        whole = world.add(Kind.CONTACT, {"lastname": "Anna Maria De Luca"}, world.owners[0])
        cut = world.add(Kind.CONTACT, {"firstname": "Anna", "lastname": "Maria De Luca"}, world.owners[0])
        found = await world.crm.find([NaturalKey(Kind.CONTACT, given="Anna Maria", family="De Luca")])
        assert {item.id for item in found[0]} == {whole, cut}

    async def test_hundreds_of_keys_fit_the_address(self, world: VtenextWorld) -> None:
        keys = [
            NaturalKey(Kind.CONTACT, (f"é'{n}@cust.example",), f"Nicolò {n}", "Dell'Università" * 5) for n in range(300)
        ]
        record = world.add(Kind.CONTACT, {"lastname": "X", "email": "é'299@cust.example"}, world.owners[0])
        assert [item.id for item in (await world.crm.find(keys))[299]] == [record]

    async def test_more_than_a_thousand_in_one_answer(self, world: VtenextWorld) -> None:
        crowd = [
            world.add(Kind.CONTACT, {"lastname": "N", "email": "info@x.example"}, world.owners[0]) for _ in range(1005)
        ]
        found = await world.crm.find([NaturalKey(Kind.CONTACT, emails=("info@x.example",))])
        assert {item.id for item in found[0]} == set(crowd)


class TestWrites:
    async def test_text_comes_back_as_it_is_stored(self, world: VtenextWorld) -> None:
        fields = {"lastname": "L" * 200, "description": "<script>x</script>"}
        item = item_in((await world.crm.apply([New(Kind.CONTACT, fields, "", world.owners[0])]))[0])
        assert item.fields["lastname"] == "L" * 80
        assert item.fields["description"] != fields["description"]
        assert item == await read(world, Kind.CONTACT, item.id)

    async def test_a_workflow_shows_in_the_answer(self, world: VtenextWorld) -> None:
        world.back.set_workflows([{"module": "Contacts", "when": {"phone": "1"}, "set": {"mobile": "by workflow"}}])
        new = New(Kind.CONTACT, {"lastname": "N", "phone": "1"}, "", world.owners[0])
        assert item_in((await world.crm.apply([new]))[0]).fields["mobile"] == "by workflow"

    async def test_groups_and_inactive_users_may_own(self, world: VtenextWorld) -> None:
        (group,) = world.back.add_groups([{"groupname": "Sales"}])
        (retired,) = world.back.add_users([{"user_name": "old", "last_name": "Old", "status": "Inactive"}])
        results = await world.crm.apply(
            [New(Kind.CONTACT, {"lastname": "N"}, "", owner) for owner in (group, retired, "22x77", "4x1", "")]
        )
        assert [isinstance(result, Done) for result in results] == [True, True, False, False, False]
        assert len(world.rows_of(Kind.CONTACT)) == 2

    async def test_only_what_differs_is_sent(self, world: VtenextWorld) -> None:
        record = world.add(Kind.CONTACT, {"lastname": "N", "phone": "1"}, world.owners[0])
        item = await read(world, Kind.CONTACT, record)
        world.sent.clear()
        await world.crm.apply([Revise(item, {"phone": "2", "lastname": "N"})])
        (form,) = [form for form in world.sent if form["operation"] == "revise"]
        assert json.loads(form["element"]) == {"id": record, "phone": "2"}

    async def test_only_create_revise_and_delete_are_posted_as_the_plugin(self, world: VtenextWorld) -> None:
        """Other operations do harm (API.md 3.3, 3.4), and other agents make the CRM notify its users (API.md 3.8)."""
        new = New(Kind.CONTACT, {"lastname": "N"}, "", world.owners[0])
        item = item_in((await world.crm.apply([new]))[0])
        item = item_in((await world.crm.apply([Revise(item, {"phone": "2"})]))[0])
        await world.crm.apply([Remove(item)])
        assert {form["operation"] for form in world.sent} == {"login", "create", "revise", "delete"}
        assert world.agents == {USER_AGENT}
        assert "VteSync" in USER_AGENT
        assert "zMerge" not in USER_AGENT

    async def test_a_silent_workflow_counts_as_a_change(self, world: VtenextWorld) -> None:
        (record,) = people(world, 1)
        item = await read(world, Kind.CONTACT, record)
        world.back.silent_edit(record, {"phone": "7"})
        assert status_of((await world.crm.apply([Remove(item)]))[0]) == 412
        assert not world.rows_of(Kind.CONTACT)[record]["deleted"]

    async def test_the_account_travels_with_its_name(self, world: VtenextWorld) -> None:
        company = world.add(Kind.COMPANY, {"accountname": "Acme"}, world.owners[0])
        fields = {"lastname": "N", "account_id": company, "account_name": "ignored"}
        item = item_in((await world.crm.apply([New(Kind.CONTACT, fields, "", world.owners[0])]))[0])
        assert item.fields["account_name"] == "Acme"
        assert item == await read(world, Kind.CONTACT, item.id)
        item = item_in((await world.crm.apply([Revise(item, {"account_id": ""})]))[0])
        assert (item.fields["account_id"], item.fields["account_name"]) == ("", "")

    async def test_a_refusal_carries_the_servers_code(self, world: VtenextWorld) -> None:
        (person,) = people(world, 1)
        result = (await world.crm.apply([New(Kind.CONTACT, {"lastname": ""}, "", world.owners[0])]))[0]
        assert isinstance(result, Refused)
        assert (result.failure.code, result.failure.where) == ("MANDATORY_FIELDS_MISSING", "create")
        wrong = New(Kind.CONTACT, {"lastname": "N", "account_id": person}, "", world.owners[0])
        assert status_of((await world.crm.apply([wrong]))[0]) == 400

    async def test_a_lost_answer_is_unclear_and_the_creation_can_be_found(self, world: VtenextWorld) -> None:
        since = world.iso_now()
        world.fault("lost_response", "POST create")
        result = (await world.crm.apply([New(Kind.CONTACT, {"lastname": "N"}, "", world.owners[0])]))[0]
        assert isinstance(result, Unclear)
        assert world.requests("create Contacts") == 1
        (lost,) = await world.crm.created_since(Kind.CONTACT, since)
        assert (lost.fields["lastname"], lost.owner) == ("N", world.owners[0])

    async def test_a_crash_in_a_write_is_unclear_and_not_repeated(self, world: VtenextWorld) -> None:
        world.fault("status", "POST create", status=500)
        results = await world.crm.apply([New(Kind.CONTACT, {"lastname": n}, "", world.owners[0]) for n in "AB"])
        assert {type(result) for result in results} == {Unclear, Done}
        assert world.requests("create Contacts") == 2

    async def test_an_owner_that_vanished_is_unclear_because_the_record_is_stored(self, world: VtenextWorld) -> None:
        refusal = {
            "success": False,
            "error": {"code": "INVALID_ID_ATTRIBUTE", "message": "Invalid owner of the record"},
        }
        world.fault("status", "POST create", status=200, body=json.dumps(refusal))
        result = (await world.crm.apply([New(Kind.CONTACT, {"lastname": "N"}, "", world.owners[0])]))[0]
        assert isinstance(result, Unclear)

    async def test_when_the_crm_goes_away_what_was_written_is_still_told(self, world: VtenextWorld) -> None:
        items = [await read(world, Kind.CONTACT, record) for record in people(world, 8)]
        world.wait(5)
        await world.crm.apply([Revise(items[0], {"phone": "0"})])
        world.emulator.corner.counts.clear()
        world.fault("status", "GET query Contacts", nth=2, times=99, status=500)
        results = await world.crm.apply([Revise(item, {"phone": "1"}) for item in items[1:]])
        assert [type(result) for result in results] == [Done] * 4 + [Refused] * 3
        assert [status_of(result) for result in results[4:]] == [0] * 3
        with pytest.raises(RetryLater):
            await world.crm.apply([Revise(items[7], {"phone": "1"})])

    async def test_writes_use_several_sessions(self, world: VtenextWorld) -> None:
        world.emulator.corner.set_latency(round_trip_ms=1)
        await world.crm.apply([New(Kind.CONTACT, {"lastname": f"N{n}"}, "", world.owners[0]) for n in range(8)])
        assert world.emulator.logins()["logins_ok"] == 4


class TestSessions:
    async def test_a_session_lost_in_the_middle_is_renewed(self, world: VtenextWorld) -> None:
        records = people(world, 1)
        await owned(world, Kind.CONTACT, "")
        world.emulator.crm.sessions.close_all()
        assert await owned(world, Kind.CONTACT, "") == records
        assert world.emulator.logins() == {"logins_ok": 2, "logins_refused": 0}

    async def test_a_write_on_a_lost_session_happens_once(self, world: VtenextWorld) -> None:
        await world.crm.count(Kind.CONTACT)
        world.emulator.crm.sessions.close_all()
        await world.crm.apply([New(Kind.CONTACT, {"lastname": "N"}, "", world.owners[0])])
        assert len(world.rows_of(Kind.CONTACT)) == 1

    async def test_an_idle_night_is_no_error(self, world: VtenextWorld) -> None:
        await world.crm.count(Kind.CONTACT)
        world.wait(12 * 3600)
        assert await world.crm.count(Kind.CONTACT) == 0

    async def test_a_read_is_repeated_once_when_the_connection_breaks(self, world: VtenextWorld) -> None:
        world.fault("drop", "GET query")
        assert await world.crm.count(Kind.CONTACT) == 0
        world.fault("drop", "GET query", times=2)
        with pytest.raises(RetryLater) as raised:
            await world.crm.count(Kind.CONTACT)
        assert raised.value.cause is Cause.CRM_UNREACHABLE

    async def test_no_log_line_holds_a_query_or_a_session(
        self, world: VtenextWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="httpx")
        await world.crm.find([NaturalKey(Kind.CONTACT, emails=("secret@cust.example",))])
        assert "webservice.php" in caplog.text
        assert "secret" not in caplog.text
        assert "sessionName" not in caplog.text
