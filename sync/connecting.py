"""Connect: a user signs in at Microsoft 365 with the own mailbox, once, in a popup (SPEC 5.1). No HTTP, no sentences.

`begin` gives the address of Entra's page and remembers who asked; `finish` takes what came back. Only the account of the user's mailbox is ever
bound, by tenant and object id: any other account's tokens are dropped, whatever it may do in the tenant. What goes wrong is an outcome with a word,
and then nothing was changed. An admin's bar holds whenever it is set: it is looked at again with the write itself, and once more when all is written.
Tokens are stored encrypted and never leave through here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from sync.commands import NotFound, NotNow, known_user, part
from sync.connector import Connector
from sync.consent import ADMIN, POPUP, note_consent
from sync.errors import Cause
from sync.following import follow
from sync.sides.base import MailboxUser
from sync.signing import NEEDED, Declined, Entra, Granted, named_as_guest
from sync.store.states import Asked, StateRefused, States
from sync.store.tokens import TokenStore
from sync.users import Taken, User

CONNECT, CONSENT = "connect", "consent"
CALLBACKS = {CONNECT: "/api/oauth/callback", CONSENT: "/api/oauth/consent-callback"}
CONNECTED, CONSENT_GIVEN = "connected", "consent_given"
CONSENT_RECORDED, WRONG_ACCOUNT = "consent_recorded", "wrong_account"
NOT_DELEGATED, DECLINED = "not_delegated", "declined"
BARRED = "user_barred"
OTHER_TENANT, TAKEN, INACTIVE, SCOPES_MISSING = "other_tenant", "mailbox_taken", "user_inactive", "scopes_missing"


class NoOwnUser(NotFound):
    """Whoever is signed in is no user of the CRM that we know of."""


class Refused(Exception):
    """This user cannot be connected with this mailbox. `code`: of the outcome."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Who(Protocol):
    """Somebody who is signed in here. `names`: principal name and addresses, in small letters."""

    @property
    def tenant(self) -> str: ...

    @property
    def oid(self) -> str: ...

    @property
    def admin(self) -> bool: ...

    @property
    def names(self) -> tuple[str, ...]: ...


class Mailboxes(Protocol):
    """What connecting asks of Graph and of the composition."""

    async def entra(self) -> Entra:
        """For the application that the settings name now."""
        ...

    async def look(self, granted: Granted) -> MailboxUser:
        """Who signed in, with all addresses: read with the very token."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, with which state, and what it must bring back in its cookie."""

    url: str
    state: str
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. `code`: connected | wrong_account | ... (control/texts, section `outcome`); `user`: CRM id."""

    code: str
    user: str = ""

    @property
    def good(self) -> bool:
        """Is there nothing left to do for the person?"""
        return self.code in (CONNECTED, CONSENT_GIVEN)


@dataclass(frozen=True, slots=True)
class Connecting:
    """One process's ability to connect users. `public_url`: where the browser reaches this app, '' = not said."""

    connector: Connector
    tokens: TokenStore
    states: States
    mailboxes: Mailboxes
    public_url: str

    # connect

    async def own_user(self, who: Who) -> User:
        """The CRM user that this person is. Raises NoOwnUser."""
        users = await self.connector.users.all()
        tenant = (await self.connector.settings.tenant()).lower()
        # a domain of it says nothing: there the platform vouches
        if "." not in tenant and who.tenant.lower() != tenant:
            raise NoOwnUser
        bound = [user for user in users if user.mailbox and user.mailbox.lower() == who.oid.lower()]
        named = [user for user in users if user.active and not user.mailbox and user.email.lower() in who.names]
        found = bound or (named if len(named) == 1 else [])  # an address that several users share names nobody
        if not found:
            raise NoOwnUser
        return next((user for user in found if user.connected), found[0])

    async def begin(self, who: Who, user: str = "") -> Begun:
        """The popup of one user: the person's own, or the one that an admin names. Raises NotFound and NotNow."""
        await self._ready(CONNECT)
        if user and who.admin:
            found = await known_user(self.connector, user)
        else:
            found = await self.own_user(who)
            if user not in ("", found.id):
                raise NotFound
        if not found.active:
            raise NotNow("user_inactive")
        if found.barred:
            raise NotNow(BARRED)
        return await self._begun(CONNECT, who, found.id)

    async def finish(self, who: Who | None, answer: Mapping[str, str], browser: str) -> Outcome:
        """What came back to the redirect address. `who`: the person signed in here, None where only the browser can tell."""
        try:
            asked = await self._taken(CONNECT, who, answer, browser)
        except StateRefused as refused:
            return Outcome(refused.code)
        return await self._noted(asked, lambda: self._connected(asked, answer))

    async def disconnect(self, user: str) -> User:
        """The user's own: forget the sign-in of the mailbox and disable the user. Nothing is deleted on either side. Raises NotFound."""
        return await self._parted(user)

    async def expel(self, user: str) -> User:
        """An admin's: the same, and the user does not come back by pressing Connect until an admin enables. Raises NotFound."""
        return await self._parted(user, barred=True)

    # the organisation's consent

    async def begin_consent(self, who: Who) -> Begun:
        """Entra's page where an administrator of the tenant consents for everybody. For our admins only. Raises NotNow."""
        if not who.admin:
            raise NotFound
        await self._ready(CONSENT)
        return await self._begun(CONSENT, who)

    async def finish_consent(self, who: Who | None, answer: Mapping[str, str], browser: str) -> Outcome:
        """What came back from that page."""
        try:
            asked = await self._taken(CONSENT, who, answer, browser)
        except StateRefused as refused:
            return Outcome(refused.code)
        return await self._noted(asked, lambda: self._consented(answer))

    # parts

    async def _ready(self, purpose: str) -> None:
        missing = (await self.connector.settings.sign_in()).missing
        if missing:
            raise NotNow("not_configured", missing=", ".join(missing))
        if not self.public_url:
            raise NotNow("not_configured", missing="PUBLIC_URL")
        if purpose == CONNECT and not (await self.connector.settings.read()).delegated:
            raise NotNow(NOT_DELEGATED)

    async def _begun(self, purpose: str, who: Who, user: str = "") -> Begun:
        id_ = self.connector.new_id()
        entra = await self.mailboxes.entra()
        address, state, secret = self.public_url + CALLBACKS[purpose], self.states.sign(id_), ""
        if purpose == CONNECT:
            flow = await entra.authorize(address, state)
            url, secret = flow.url, flow.secret
        else:
            url = await entra.consent_url(address, state)
        asked = Asked(purpose, who.tenant, who.oid, user, secret)
        await self.states.keep(id_, asked, self.connector.now())
        return Begun(url, state, self.states.browser(id_))

    async def _taken(self, purpose: str, who: Who | None, answer: Mapping[str, str], browser: str) -> Asked:
        person = None if who is None else (who.tenant, who.oid)
        return await self.states.take(answer.get("state", ""), purpose, person, browser, self.connector.now())

    async def _noted(self, asked: Asked, work: Callable[[], Awaitable[str]]) -> Outcome:
        """Do it, and note in the audit who did and how it ended; a failure of a server leaves the note open."""
        audit, now, id_ = self.connector.audit, self.connector.now(), self.connector.new_id()
        noted = await audit.begin(asked.oid, asked.purpose, asked.user, now, id_)
        outcome = Outcome(await work(), asked.user)
        await audit.end(noted, 200 if outcome.good else 409)
        return outcome

    async def _connected(self, asked: Asked, answer: Mapping[str, str]) -> str:
        try:
            granted = await (await self.mailboxes.entra()).redeem(asked.secret, answer)
        except Declined as declined:
            return declined.code
        return await self._bound(asked, granted)

    async def _consented(self, answer: Mapping[str, str]) -> str:
        tenant = answer.get("tenant", "").lower()
        if answer.get("error") or answer.get("admin_consent", "").lower() != "true":
            return DECLINED
        if tenant != await (await self.mailboxes.entra()).tenant():
            return OTHER_TENANT
        await note_consent(self.connector.registry.rows, tenant, "", ADMIN, self.connector.now())
        return CONSENT_GIVEN

    async def _bound(self, asked: Asked, granted: Granted) -> str:
        """Bind the mailbox if it is the user's, by tenant and object id; the code of what became of it."""
        if not (await self.connector.settings.read()).delegated:
            return NOT_DELEGATED
        entra = await self.mailboxes.entra()
        if not granted.oid or granted.tenant != await entra.tenant():
            return OTHER_TENANT
        user = await self.connector.users.get(asked.user)
        refused = INACTIVE if user is None else unfit(user)
        if user is None or refused:
            return refused
        if not set(granted.scopes) >= NEEDED or not granted.refresh_token:
            return SCOPES_MISSING
        if user.mailbox and user.mailbox.lower() != granted.oid:
            return await self._another(granted)
        mailbox = await self.mailboxes.look(granted)
        if mailbox.id.lower() != granted.oid:
            return WRONG_ACCOUNT
        if not user.mailbox and not _has(mailbox, user.email):
            return await self._another(granted)
        return await self._joined(user, mailbox, granted)

    async def _another(self, granted: Granted) -> str:
        """The account of somebody else: its tokens go. An administrator may have consented for everybody on the way."""
        if not granted.consents:
            return WRONG_ACCOUNT
        now = self.connector.now()
        await note_consent(self.connector.registry.rows, granted.tenant, granted.oid, POPUP, now)
        return CONSENT_RECORDED

    async def _joined(self, user: User, mailbox: MailboxUser, granted: Granted) -> str:
        """Whatever happened to the user while Entra and Graph answered. The sign-in first: a run must find it."""
        now, users = self.connector.now(), self.connector.users
        if await self._held(mailbox.id, but=user.id):
            return TAKEN
        await self.tokens.save(mailbox.id, granted.tenant, granted.scopes, granted.refresh_token, now)
        try:
            await join(self.connector, user.id, mailbox)
        except (Refused, Taken) as refused:
            await self._let_go(mailbox.id)
            return refused.code if isinstance(refused, Refused) else TAKEN
        after = await users.get(user.id)
        if after is None or not after.connected or after.mailbox != mailbox.id:  # disconnected while this was written
            await self._let_go(mailbox.id)
        return CONNECTED if after is None else unfit(after) or CONNECTED

    async def _parted(self, user: str, **changes: object) -> User:
        known = await known_user(self.connector, user)
        after = await part(self.connector, known.id, **changes)
        if after.mailbox:
            await self.tokens.drop(after.mailbox)
        settings = await self.connector.settings.read()
        if settings.delegated and after.mailbox and after.mailbox == settings.shared_mailbox:  # its row stays enabled
            waits = {"state": "error", "cause": Cause.SHARED_NOT_CONNECTED.value}
            await self.connector.registry.change_mailbox(after.mailbox, **waits)
        return after

    async def _held(self, mailbox: str, but: str = "") -> bool:
        """Is a user connected with this mailbox?"""
        return any(u.connected and u.mailbox == mailbox and u.id != but for u in await self.connector.users.all())

    async def _let_go(self, mailbox: str) -> None:
        """Forget a sign-in that led to nothing. Where somebody else is connected with the mailbox it is that one's."""
        if await self._held(mailbox):
            return
        await self.tokens.drop(mailbox)
        shared = (await self.connector.settings.read()).shared_mailbox
        if mailbox != shared:
            await self.connector.registry.change_mailbox(mailbox, enabled=False)
            await self.connector.board.touch()


def _has(mailbox: MailboxUser, address: str) -> bool:
    """Is it one of the mailbox's addresses? A user without an address is paired by an admin only, and so is one who signs in with a guest account."""
    addresses = {each.lower() for each in mailbox.addresses}
    return bool(address) and address.lower() in addresses and not named_as_guest(addresses)


def unfit(user: User) -> str:
    """Why this user may not connect, as an outcome; '' = may."""
    return INACTIVE if not user.active else BARRED if user.barred else ""


async def join(connector: Connector, id_: str, mailbox: MailboxUser) -> User:
    """Pair and enable a user who signed in with this mailbox; where that was so already, the mailbox goes on from where it was.

    Raises Refused, Taken: as the user is when it is written, not as it was when the sign-in began.
    """
    start = (await connector.settings.read()).sync_start.isoformat()

    def joined(user: User) -> User:
        refused = unfit(user)
        if refused or user.mailbox.lower() not in ("", mailbox.id.lower()):
            raise Refused(refused or WRONG_ACCOUNT)
        addresses = mailbox.addresses or user.addresses
        since = user.sync_start or (start if not user.enabled else "")  # frozen from here on
        return replace(user, mailbox=mailbox.id, addresses=addresses, enabled=True, sync_start=since)

    before, after = await connector.users.revise(id_, joined)
    going = {"state": "ok", "cause": "", "attempts": 0, "starts": 0, "due_at": "", "dirty": True}
    row = await connector.registry.mailbox(mailbox.id)
    same = before.connected and before.mailbox == after.mailbox
    if same and row is not None and row.last_run and row.enabled and row.user == after.id:
        row = await connector.registry.change_mailbox(mailbox.id, enabled=True, **going)
    if not same or row is None or not row.last_run or not row.enabled or row.user != after.id:
        await follow(connector, replace(before, enabled=before.enabled and not same), after)
    elif await connector.state() == "running":
        await connector.enqueue([mailbox.id], "reconnected")
    return after
