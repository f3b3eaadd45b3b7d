"""The master categories of a mailbox: they give the categories that events carry their colours.

Made where they are missing, never changed: a user may have chosen another colour for that name. It needs a permission that nothing else does
(MailboxSettings.ReadWrite), and categories show without a colour too, so a refusal is told and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.errors import Failure
from sync.sides.graph.answers import Answer
from sync.sides.graph.batch import Part
from sync.sides.graph.requests import MailboxRequests

WHERE = "categories"
EXISTS = 409
"""CategoryNameExists: names are unique without case (BEHAVIOUR 7.2)."""


class MasterCategories:
    """Of one mailbox. They are listed once per object; so is a refusal."""

    def __init__(self, requests: MailboxRequests) -> None:
        self._requests = requests
        self._names: set[str] | Failure | None = None

    async def ensure(self, categories: Mapping[str, str]) -> Failure | None:
        """Make those that are missing (name -> `preset0`..`preset24`). The first failure, None when all are there."""
        if not categories:
            return None
        if self._names is None:
            self._names = await self._listed()
        names = self._names
        if isinstance(names, Failure):
            return names
        wanted = {name.casefold(): (name, color) for name, color in categories.items() if name.casefold() not in names}
        url = self._requests.path("outlook/masterCategories")
        parts = [Part("POST", url, {"displayName": name, "color": color}) for name, color in wanted.values()]
        trouble: Failure | None = None
        # repeating one that was made after all answers 409, so a lost answer may be asked for again
        answers = await self._requests.run(parts, where=WHERE, repeatable=True)
        for key, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Answer) or answer.status == EXISTS:
                names.add(key)
            else:
                trouble = trouble or answer
        return trouble

    async def _listed(self) -> set[str] | Failure:
        names: set[str] = set()
        url = self._requests.path("outlook/masterCategories")
        while url:
            answer = await self._requests.connection.read(url, where=WHERE, mailbox=self._requests.user)
            if isinstance(answer, Failure):
                return answer
            names |= {str(each.get("displayName") or "").casefold() for each in answer.body.get("value") or ()}
            url = str(answer.body.get("@odata.nextLink") or "")
        return names
