"""The product's default mapping, on the recorded field lists of a real vtenext."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from mapping.companies import COMPANIES
from mapping.contacts import CONTACTS
from mapping.fields import Field, crm_catalog, default_lengths
from mapping.model import Translator
from mapping.rules import FieldMapping, translator
from mapping.tasks import TaskTranslator
from sync.events import event_translator
from sync.mappings import AtWork, Version, at_work
from sync.model import Kind

DATA = Path(__file__).parent.parent / "data" / "vtenext"


@cache
def catalog(module: str) -> dict[str, Field]:
    """The fields of a module, as recorded."""
    describe = json.loads((DATA / f"describe-{module}.json").read_text())
    return crm_catalog(describe["result"], default_lengths(module))


ROME = ZoneInfo("Europe/Rome")
DEFAULTS = {Kind.CONTACT: CONTACTS, Kind.COMPANY: COMPANIES}
MODULES = {Kind.CONTACT: "Contacts", Kind.COMPANY: "Accounts"}


def remapped(*mappings: FieldMapping) -> AtWork:
    """What an admin saved, oldest first, at work on the recorded field lists."""
    versions = [Version(number, mapping) for number, mapping in enumerate(mappings)]
    return at_work(versions, catalog(MODULES[Kind(mappings[-1].kind)]))


@cache
def translators() -> dict[Kind, Translator]:
    """The default mapping of every kind."""
    return {
        Kind.CONTACT: translator(CONTACTS, catalog("Contacts")),
        Kind.COMPANY: translator(COMPANIES, catalog("Accounts")),
        Kind.EVENT: event_translator(ROME),
        Kind.TASK: TaskTranslator(),
    }
