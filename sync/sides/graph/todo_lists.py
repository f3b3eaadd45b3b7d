"""Where the listing of a To Do stands: a delta link of the lists and one of each list's tasks, as one cursor. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sync.sides.base import CursorLost
from sync.sides.graph.answers import Json

VERSION = 1
LONGEST = 30_000
"""Characters of a saved cursor: the store takes 32 Ki."""


@dataclass(slots=True)
class Lists:
    """`link`: of the lists, '' = to be listed anew. `tasks`: list id -> link of its tasks, '' = to be listed anew. `default`: id."""

    link: str = ""
    tasks: dict[str, str] = field(default_factory=dict)
    default: str = ""

    def text(self) -> str:
        """As it is saved. Of somebody's hundreds of lists the last are listed anew each time: correct, if not cheap."""
        links = dict(self.tasks)
        for list_id in reversed(self.tasks):
            text = json.dumps({"v": VERSION, "lists": self.link, "tasks": links, "default": self.default})
            if len(text) <= LONGEST:
                return text
            links[list_id] = ""
        return json.dumps({"v": VERSION, "lists": self.link, "tasks": links, "default": self.default})

    def take(self, entry: Json) -> str:
        """Note a list that changed; the id of one that is not ours to follow any more, else ''.

        Flagged mail is no list of tasks (BEHAVIOUR 7.3), and what somebody else shares is that person's.
        """
        list_id = str(entry["id"])
        if entry.get("wellknownListName") == "flaggedEmails" or entry.get("isOwner") is False:
            return list_id if self.tasks.pop(list_id, None) is not None else ""
        if entry.get("wellknownListName") == "defaultList":
            self.default = list_id
        self.tasks.setdefault(list_id, "")
        return ""


def read_lists(text: str) -> Lists:
    """What was saved. Raises CursorLost for what is no cursor of this version."""
    try:
        state = json.loads(text)
        if state["v"] != VERSION:
            raise CursorLost
        tasks = {str(list_id): str(link) for list_id, link in state["tasks"].items()}
        return Lists(str(state["lists"]), tasks, str(state["default"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CursorLost from None
