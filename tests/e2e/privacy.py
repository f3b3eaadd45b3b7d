"""Does anything of what people wrote stand in clear where the connector keeps or logs things (SPEC 6.4, 7.3)?

The one place of the demo that looks into the storage: every name, address, phone, subject and text of both sides, the recycle bin included, is looked
for in all rows of all tables, all blobs, all messages of all queues, and the logs of the app. As it is, and as JSON or a URL would spell it.

Of texts shorter than `SHORTEST` those are looked for that have a letter outside of ASCII (Zoë, Mirò): no key, cipher, id, column or line of our logs
has one, so that a hit is never chance. A plain short word could be; it goes the same ways as its neighbours.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

SHORTEST, SURE = 5, 10
PERSONAL = frozenset(
    {"firstname", "lastname", "first_name", "last_name", "user_name", "accountname", "groupname", "email", "email1", "email2", "otheremail"}
    | {"phone", "mobile", "homephone", "otherphone", "assistantphone", "fax", "mailingstreet", "mailingcity", "otherstreet", "bill_street"}
    | {"subject", "location", "description", "title", "assistant", "department", "birthday"}
    | {"displayName", "givenName", "surname", "companyName", "jobTitle", "address", "street", "city", "mobilePhone", "personalNotes"}
    | {"businessPhones", "homePhones", "content", "bodyPreview", "assistantName", "name", "fileAs", "mail", "userPrincipalName"}
)  # fmt: skip
"""The fields of either side that hold what people wrote of people."""
OURS = frozenset({"vtenext", "text/html", "Tasks", "Calendar", "Contacts", "UTC"})
"""What stands there by itself: names of our folder, of Exchange's folders and lists."""


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of text and where it lies."""

    where: str
    text: str


def texts_of(*trees: object) -> set[str]:
    """What people wrote, in whatever JSON either side shows."""
    found: set[str] = set()
    for tree in trees:
        for line in (line.strip() for text in _leaves(tree, "") for line in text.splitlines()):
            if (len(line) >= SHORTEST or _unmistakable(line)) and line not in OURS and not line.isdecimal():
                found.add(line)
    return found


def _unmistakable(word: str) -> bool:
    return len(word) > 1 and any(letter.isalpha() and not letter.isascii() for letter in word)


def _leaves(tree: object, name: str) -> Iterator[str]:
    if isinstance(tree, str):
        if name in PERSONAL:
            yield tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, str(key))
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from _leaves(each, name)


def kept(connection: str, logs: Iterable[Path]) -> Iterator[Place]:
    """Everything in the storage account, and the logs."""
    with TableServiceClient.from_connection_string(connection) as tables:
        for table in tables.list_tables():
            for row in tables.get_table_client(table.name).list_entities():
                text = "\n".join(f"{key}={value}" for key, value in row.items())
                yield Place(f"table {table.name}, partition {row['PartitionKey']}", text)
    with QueueServiceClient.from_connection_string(connection) as queues:
        for queue in queues.list_queues():
            for message in queues.get_queue_client(queue.name).peek_messages(max_messages=32):
                yield Place(f"queue {queue.name}", str(message.content))
    with BlobServiceClient.from_connection_string(connection) as blobs:
        for container in blobs.list_containers():
            client = blobs.get_container_client(container.name)
            for blob in client.list_blobs():
                raw = client.download_blob(blob.name).readall()
                yield Place(f"blob {container.name}", f"{blob.name}\n{raw.decode('utf-8', 'replace')}")
    for log in logs:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            yield Place(f"log {log.name}", line)


def in_clear(texts: Iterable[str], places: Iterable[Place]) -> list[str]:
    """Where something is to be read that should not be: the place and how long the text is, not the text."""
    wanted: dict[str, list[tuple[str, str]]] = defaultdict(list)  # by their first letters: one pass over everything
    short: list[tuple[str, str]] = []  # too few letters for that, and there are only some
    for text in texts:
        for spelling in _spellings(text):
            if len(spelling) < SHORTEST:
                short.append((spelling, text))
            else:
                wanted[spelling[:SHORTEST].casefold()].append((spelling, text))
    found: set[str] = set()
    for place in places:
        folded = place.text.casefold()
        for start in range(len(folded) - SHORTEST + 1):
            for spelling, text in wanted.get(folded[start : start + SHORTEST], ()):
                if _stands(spelling, place.text, folded, start):
                    found.add(_told(place, text))
        found |= {_told(place, text) for spelling, text in short if _is_a_word(spelling, place.text)}
    return sorted(found)


def _told(place: Place, text: str) -> str:
    return f"{place.where}: {text[:2]}... ({len(text)} characters) in clear"


def _is_a_word(spelling: str, text: str) -> bool:
    """Does it stand somewhere, alone?"""
    start = text.find(spelling)
    while start >= 0 and not _alone(text, start, start + len(spelling)):
        start = text.find(spelling, start + 1)
    return start >= 0


def _alone(text: str, start: int, end: int) -> bool:
    return not any(letter.isalnum() for letter in (text[max(start - 1, 0) : start], text[end : end + 1]))


def _stands(spelling: str, text: str, folded: str, start: int) -> bool:
    """A short word must stand alone and as it was written: letters of keys and ciphers come by chance."""
    end = start + len(spelling)
    if len(spelling) >= SURE:
        return folded.startswith(spelling.casefold(), start)
    return text.startswith(spelling, start) and _alone(text, start, end)


def _spellings(text: str) -> set[str]:
    return {text, json.dumps(text)[1:-1], quote(text), quote(text, safe=""), text.replace(" ", "+")}
