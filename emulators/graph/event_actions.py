"""The routes that answer and call off meetings: accept, tentativelyAccept, decline, cancel (BEHAVIOUR 7.2).

Parameter names are read without case, as the service does. Each answers 202 without a body.
"""

from __future__ import annotations

from typing import Any

from emulators.graph import answers, delivery, event_writing, meetings
from emulators.graph.errors import GraphError, bad_request, invalid_property
from emulators.graph.events import WRITE
from emulators.graph.http import Answer, Call, Handler, Json, Router
from emulators.graph.world import World
from emulators.graph.zones import read_moment, written

_ACTIONS = {"accept": "accepted", "tentativelyAccept": "tentativelyAccepted", "decline": "declined"}


def routes(router: Router, world: World) -> None:
    """Add the routes."""
    actions = _Actions(world)
    for action, answer in _ACTIONS.items():
        router.add("POST", f"users/{{user}}/events/{{event}}/{action}", actions.answering(answer))
    router.add("POST", "users/{user}/events/{event}/cancel", actions.cancel)


class _Actions:
    def __init__(self, world: World) -> None:
        self._world = world

    def answering(self, answer: str) -> Handler:
        """The handler of one kind of answer."""
        return lambda call: self._respond(call, answer)

    def _respond(self, call: Call, answer: str) -> Answer:
        calendar = self._world.mailbox(call, *WRITE).calendar
        event, slot = event_writing.locate(calendar, call.params["event"], deleted_visible=False)
        given = _parameters(call)
        _comment(given)
        send = given.get("sendresponse")
        if send is not None and not isinstance(send, bool):
            raise invalid_property(
                "Cannot convert the value of parameter 'sendResponse' to the expected type 'Edm.Boolean'."
            )
        proposal = _proposal(given.get("proposednewtime"), answer)
        if proposal is not None and (send is False or not event.values.get("allowNewTimeProposals", True)):
            message = "A new time can be proposed only where the organizer allows it, and with a response."  # memory: the text
            raise GraphError(400, "ErrorInvalidRequest", message)
        answers.respond(self._world, calendar, event, slot, answer, send=send is not False, by="app", proposal=proposal)
        delivery.dispatch(self._world)
        return Answer(202)

    def cancel(self, call: Call) -> Answer:
        """Only by the organizer; the event, or the occurrence, goes as by a DELETE."""
        calendar = self._world.mailbox(call, *WRITE).calendar
        event, slot = event_writing.locate(calendar, call.params["event"], deleted_visible=False)
        _comment(_parameters(call))
        if not meetings.is_organized(event):
            raise bad_request("You need to be an organizer to cancel a meeting.", "ErrorInvalidRequest")
        event_writing.delete(self._world, calendar, event, slot, why="cancel")
        return Answer(202)


def _parameters(call: Call) -> Json:
    return {name.lower(): value for name, value in call.json().items()}


def _comment(given: Json) -> None:
    if not isinstance(given.get("comment") or "", str):
        raise invalid_property("Cannot convert the value of parameter 'comment' to the expected type 'Edm.String'.")


def _proposal(value: Any, answer: str) -> Json | None:
    """A timeSlot as it reads on the organizer's list; there is none beside an acceptance (schema)."""
    if value is None:
        return None
    if answer == "accepted" or not isinstance(value, dict):
        raise bad_request("The parameter 'proposedNewTime' is not valid here.", "ErrorInvalidRequest")
    return {name: written(read_moment(name, value.get(name))[0], "UTC") for name in ("start", "end")}
