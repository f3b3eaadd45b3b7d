"""The mapping editor of contacts and companies: pairs of typed fields, tried on a real item, saved with a strategy (SPEC 3.1-3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from control.endpoints.mappings import CheckedShown, FieldShown, MappingShown, PreviewShown, PurgeShown, ResyncShown
from control.panel.page import Goto, Page, Refused, View, Visit, at
from control.problems import problem
from control.texts import text
from mapping.fields import compatible
from mapping.model import FieldType
from mapping.translate import COMPANY_LINK

PATH = "/api/panel/mapping"
_COMPANY = "company"
MORE = 3
"""Empty rows at the end, and how many more a press adds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A pair as it stands in the form."""

    crm: str = ""
    mailbox: str = ""
    direction: str = "both"
    mode: str = "always"

    @property
    def id(self) -> str:
        return f"{self.crm}~{self.mailbox}"

    @property
    def half(self) -> bool:
        return bool(self.crm) != bool(self.mailbox)


async def mapping(visit: Visit) -> View:
    if visit.live:  # nothing else of it moves, and the whole is much to make every few seconds
        return View("mapping.html", {"progress": await visit.ask("resync", ResyncShown)})
    return await _shown(visit)


async def save(visit: Visit) -> View | Goto:
    """Check, count, try on a real item, or save over the version that the form was opened with."""
    rows = _rows(visit)
    body = {"pairs": _pairs(rows), "stamp_field": visit.text("stamp_field")}
    if visit.ticked("count"):
        return await _shown(visit)
    if visit.ticked("more"):
        return await _shown(visit, rows=[*rows, *[Row()] * (2 * MORE)])
    half = next((number for number, row in enumerate(rows) if row.half), None)
    if half is not None:
        reason = text("mapping.half", visit.lang)
        raise Refused(problem("bad_value", visit.lang, 400, field=f"pairs.{half}", reason=reason), 400)
    if visit.ticked("check"):
        return await _shown(visit, checked=await visit.ask("mapping_check", CheckedShown, visit.id, body))
    if visit.ticked("preview"):
        named = {"record": visit.text("record")}
        return await _shown(
            visit, preview=await visit.ask("mapping_preview", PreviewShown, visit.id, {**body, **named})
        )
    asked: dict[str, Any] = {**body, "strategy": visit.text("strategy") or "in_place"}
    if visit.text("confirm").isdecimal() and len(visit.text("confirm")) < 10:
        asked["confirm"] = int(visit.text("confirm"))
    version = visit.text("version_read") or "0"
    saved = await visit.reply("mapping_put", visit.id, asked, match=version)
    if saved.etag == version:
        return Goto(at(PATH, visit.id), said="mapping.unchanged")
    return Goto(at(PATH, visit.id), said="mapping.saved")


async def _shown(
    visit: Visit,
    rows: Sequence[Row] | None = None,
    checked: CheckedShown | None = None,
    preview: PreviewShown | None = None,
) -> View:
    reply = await visit.reply("mapping", visit.id)
    found = reply.body
    if not isinstance(found, MappingShown):
        raise TypeError(type(found).__name__)
    now = [Row(p.crm, p.mailbox, p.direction, p.mode) for p in found.pairs]
    if rows is None:
        rows = [*(_rows(visit) if visit.form else now), *[Row()] * MORE]
    said = found if checked is None and not visit.form else checked
    data = {
        "mapping": found,
        "kinds": ("contact", "company"),
        "rows": rows,
        "theirs": _theirs(now, _rows(visit)) if visit.overtaken else None,
        "labels": {row.id: text("common.row", visit.lang, number=number) for number, row in enumerate(rows, 1)},
        "checked": checked,
        "problems": _marks(visit, said, rows),
        "warnings": said.warnings if said is not None else (),
        "preview": preview,
        "version": visit.text("version_read") or reply.etag,
        "counted": await _counted(visit),
        "progress": await visit.ask("resync", ResyncShown),
    }
    return View("mapping.html", {**data, **_fields(found), **_entered(visit, found)})


async def _counted(visit: Visit) -> dict[str, int] | None:
    """How many cards each strategy writes: when it is asked for, or to be confirmed; it takes a while."""
    if not visit.ticked("count") and (visit.problem is None or visit.problem.code != "confirm_purge"):
        return None
    found = await visit.ask("mapping_purge", PurgeShown)
    return {"in_place": found.linked, "purge": found.total}


def _theirs(now: Sequence[Row], entered: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Pairs that are saved and not in the form, and the reverse."""
    return [row for row in now if row not in entered], [row for row in entered if row not in now]


def _marks(visit: Visit, said: CheckedShown | None, rows: Sequence[Row]) -> dict[str, str]:
    """What is wrong with which pair, '' = with the whole: as a refusal says, else as the check does, or what is in force."""
    refused = getattr(visit.problem.body, "problems", ()) if visit.problem is not None else ()
    found = {str(each["pair"]): str(each["sentence"]) for each in refused}
    found |= {each.pair: each.sentence for each in said.problems} if said is not None else {}
    return found | {row.id: text("mapping.half", visit.lang) for row in rows if row.half}


def _fields(found: MappingShown) -> dict[str, object]:
    """The fields that there are, as the lists offer them."""
    return {
        "stamps": [each for each in found.crm if each.name.startswith("cf_") and each.type == "text" and each.writable],
        "types": {
            "crm": {each.name: fitting(each) for each in found.crm},
            "mailbox": {each.name: f"{each.type}{_company(each.name)}" for each in found.mailbox},
        },
    }


def _entered(visit: Visit, found: MappingShown) -> dict[str, object]:
    """What else stands in the form."""
    return {
        "stamp_field": visit.text("stamp_field") if visit.form else found.stamp_field,
        "record": visit.text("record"),
        "strategy": visit.text("strategy") or "in_place",
    }


def fitting(crm: FieldShown) -> str:
    """Types of mailbox fields that this field can be paired with."""
    if crm.name == COMPANY_LINK.crm:
        return _COMPANY
    return " ".join(each.value for each in FieldType if compatible(FieldType(crm.type), each))


def _company(mailbox: str) -> str:
    """What the fixed partner of a contact's company fits beside its own type."""
    return f" {_COMPANY}" if mailbox == COMPANY_LINK.mailbox else ""


def _rows(visit: Visit) -> list[Row]:
    """The pairs that were sent, without those whose removal was ticked and those that are empty."""
    columns = [visit.all(name) for name in ("crm", "mailbox", "direction", "mode")]
    if len({len(column) for column in columns}) != 1:
        raise Refused(problem("form_expired", visit.lang, 400), 400)  # no browser sends a row in part
    dropped = set(visit.all("drop"))
    rows = [Row(*cells) for number, cells in enumerate(zip(*columns, strict=True)) if str(number) not in dropped]
    return [row for row in rows if row.crm or row.mailbox]


def _pairs(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [{"crm": row.crm, "mailbox": row.mailbox, "direction": row.direction, "mode": row.mode} for row in rows]


PAGES = (
    Page("panel_mapping", "GET", "panel/mapping/{id}", mapping, "mapping"),
    Page("panel_mapping_save", "POST", "panel/mapping/{id}", save, "mapping", back=mapping),
)
