"""Microsoft Graph as a side: contacts and companies of one mailbox, over msgraph-sdk.

    answers      what came back, as data                     throttle   lanes, cap, quota, pauses
    credentials  the application's sign-in                    client     one request (imports the SDK when it is built)
    batch        many requests in few                         cards      contact <-> item
    folders      our folder, and where strays are             delta      the changes of a folder
    contacts     the Mailbox protocol

Importing this package imports neither msgraph nor azure.
"""

from sync.sides.graph.client import BASE_URL, GraphConnection, connect
from sync.sides.graph.contacts import GraphMailbox, open_mailbox
from sync.sides.graph.credentials import Tokens, application_tokens
from sync.sides.graph.folders import resolve_user
from sync.sides.graph.throttle import Throttle

__all__ = [
    "BASE_URL",
    "GraphConnection",
    "GraphMailbox",
    "Throttle",
    "Tokens",
    "application_tokens",
    "connect",
    "open_mailbox",
    "resolve_user",
]
