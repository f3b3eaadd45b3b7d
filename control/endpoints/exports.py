"""The button "export my future CRM events" (SPEC 2.11): what it would do, and the order. An admin for anybody, a person for the own user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from control.endpoint import Call, Endpoint, Guard, Shown
from control.texts import sentence
from sync import export_commands
from sync.export_commands import Order
from sync.settings import Model


class ExportsShown(Shown):
    """Events of the CRM that were there before the connection, and are as they were. `count` of them would be made in Exchange, as `single` events
    and as `series`. `meetings` have attendees and go out without them; `mails` would leave at most, inviting everybody would make `withheld_mails`.
    `left`: why others stay out, by reason. `waiting`: ordered, and not settled yet."""

    count: int
    single: int
    series: int
    meetings: int
    mails: int
    withheld_mails: int
    left: Mapping[str, int]
    left_sentences: Mapping[str, str]
    waiting: int


class ExportOrder(Model):
    """`confirm`: the `count` of the preview."""

    confirm: Annotated[int, Field(ge=0)]


async def preview(call: Call) -> ExportsShown:
    return await _preview(call, call.id)


async def order(call: Call) -> ExportsShown:
    return await _order(call, call.id)


async def my_preview(call: Call) -> ExportsShown:
    return await _preview(call, await _own(call))


async def my_order(call: Call) -> ExportsShown:
    return await _order(call, await _own(call))


async def _own(call: Call) -> str:
    return (await call.app.connecting.own_user(call.person)).id


async def _preview(call: Call, user: str) -> ExportsShown:
    return shown(await export_commands.show_exports(call.app.connector, call.app.previewing, user), call.lang)


async def _order(call: Call, user: str) -> ExportsShown:
    confirm = call.read(ExportOrder).confirm
    found = await export_commands.order_exports(call.app.connector, call.app.previewing, user, confirm, call.by)
    return shown(found, call.lang)


def shown(found: Order, lang: str) -> ExportsShown:
    would = found.would
    return ExportsShown(
        count=len(would.items),
        single=would.single,
        series=would.series,
        meetings=would.meetings,
        mails=would.mails,
        withheld_mails=would.withheld,
        left={reason.value: number for reason, number in would.left.items()},
        left_sentences={reason.value: sentence("reason", reason.value, lang) for reason in would.left},
        waiting=found.waiting,
    )


ADMINS, OWN = "users/{id}/export-events", "me/export-events"
SEEN, ORDERED = "What exporting coming CRM events of before would do", "Export coming CRM events of before"
ENDPOINTS = (
    Endpoint("user_exports", "GET", ADMINS, preview, SEEN, ExportsShown),
    Endpoint("user_exports_order", "POST", ADMINS, order, ORDERED, ExportsShown, 202, body=ExportOrder),
    Endpoint("my_exports", "GET", OWN, my_preview, SEEN, ExportsShown, guard=Guard.PERSON, missing=True),
    Endpoint(
        "my_exports_order", "POST", OWN, my_order, ORDERED, ExportsShown, 202, body=ExportOrder, guard=Guard.PERSON, missing=True
    ),
)  # fmt: skip
