"""Microsoft Graph as a side: the people, the calendar and the tasks of one mailbox, over msgraph-sdk.

    answers      what came back, as data                     throttle   lanes, cap, quota, pauses
    credentials  the application's sign-in                    client     one request (imports the SDK when it is built)
    entra        people's sign-in, by msal                    delegated  the sign-in of one mailbox
    batch        many requests in few                         requests   a mailbox's parts and listings
    delta        the changes of a folder or a window          stamps     our mark on an item
    cards        contact <-> item                             folders    our folder, and where strays are
    contacts     the Mailbox protocol for people              known      whether a folder has somebody
    events       event <-> item                               window     how far is looked; the cursor
    occurrences  a series, occurrence by occurrence           masters    series read from their masters
    people       who takes part in an event                   categories  colours of categories
    events_reading  what became of an event                   event_writes  writes, occurrences one by one
    event_answers  answers to invitations, after the writes
    calendar     the Mailbox protocol for the calendar
    todo_tasks   task <-> item                                todo_lists   the cursor of lists and tasks
    subscriptions  how Microsoft 365 tells us of changes
    todo         the Mailbox protocol for tasks

Importing this package imports neither msgraph nor azure.
"""

from sync.sides.graph.calendar import GraphCalendar, open_calendar
from sync.sides.graph.client import BASE_URL, GraphConnection, Sign, connect
from sync.sides.graph.contacts import GraphMailbox, open_mailbox
from sync.sides.graph.credentials import Tokens, application_tokens
from sync.sides.graph.delegated import Held, MailboxTokens
from sync.sides.graph.entra import MsalEntra
from sync.sides.graph.folders import find_folder, resolve_user
from sync.sides.graph.subscriptions import GraphSubscriptions
from sync.sides.graph.throttle import Throttle
from sync.sides.graph.todo import GraphTodo, open_todo
from sync.sides.graph.window import Horizon

__all__ = [
    "BASE_URL",
    "GraphCalendar",
    "GraphConnection",
    "GraphMailbox",
    "GraphSubscriptions",
    "GraphTodo",
    "Held",
    "Horizon",
    "MailboxTokens",
    "MsalEntra",
    "Sign",
    "Throttle",
    "Tokens",
    "application_tokens",
    "connect",
    "find_folder",
    "open_calendar",
    "open_mailbox",
    "open_todo",
    "resolve_user",
]
