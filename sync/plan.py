"""What to do about one pair. Pure: the same input gives the same plan. This is the module that everybody must read.

A linked pair is one cell of this table (`-` = nothing to do, W = written back, or left, by setting):

    crm \\ mailbox   there                     gone                                left the folder
    there           merge by field            edited: create again; else W/delete  unlink
    gone            edited: create again;     unlink                               unlink
                    else delete

An unlinked item is created on the other side, or joined with the item that matches it; a tombstone, a switched-off direction or a missing
home leaves it, but for a guest copy of a contact who is invited (SPEC 2.7). What could not be read waits: no pair is planned on one side's data
alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mapping import kind_of_card
from mapping.model import Translator
from mapping.moving import Remap
from sync.merge import Digests, Merge, Sealed, creation_values, edited, merge
from sync.model import (
    Action,
    Create,
    Delete,
    Flag,
    Gone,
    Item,
    Kind,
    Leave,
    Left,
    Link,
    Pair,
    Reason,
    Role,
    Side,
    Unlink,
    Unread,
    Update,
    Wait,
)
from sync.policy import KindPolicy, MailboxDelete, Policy
from sync.remap import Ended, ended
from sync.resting import at_rest, put_to_rest, shape_of


def link_key(mailbox: str, crm_id: str) -> str:
    """What a link is called inside digests: stable for the life of the link."""
    return f"{mailbox}|{crm_id}"


@dataclass(frozen=True, slots=True)
class Context:
    """What the planner of one mailbox needs besides the pair.

    `tombstones`: ids (of either side) that were unlinked on purpose -> why. `intents`: ids whose creation on the other side is open.
    `homes`: crm ids that another mailbox already holds as home. `now`: what is over. `baseline`: crm id of an event -> digest when connected.
    `connected`: when the calendar was, ISO UTC. `ordered`: crm ids of events whose export somebody ordered.
    Of meetings: `led`: crm ids whose events this mailbox leads, whoever owns the records;
    `led_elsewhere`: those that another has; `led_twice`: those whose meeting another leads although an event was made for them here; `kept`:
    mailbox ids of copies that keep their crm event; `shared`: crm ids of which others hold copies too. `invited`: crm ids of contacts who take
    part in coming events of this mailbox and whom its user's folders do not know. `again`: ids of events
    that were made again from the journal and are not linked yet. `remaps`: what earlier mappings left behind, of the kinds whose mapping may change.
    """

    policy: Policy
    translators: Mapping[Kind, Translator]
    digests: Digests
    tombstones: Mapping[str, Reason] = field(default_factory=dict)
    intents: Collection[str] = ()
    homes: Collection[str] = ()
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    baseline: Mapping[str, str] = field(default_factory=dict)
    connected: str = ""
    ordered: Collection[str] = ()
    led: Collection[str] = ()
    led_elsewhere: Collection[str] = ()
    led_twice: Collection[str] = ()
    kept: Collection[str] = ()
    shared: Collection[str] = ()
    invited: Collection[str] = ()
    again: Collection[str] = ()
    remaps: Mapping[Kind, Remap] = field(default_factory=dict)
    _shapes: Mapping[Kind, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shapes = {kind: shape_of(translator, self.remaps.get(kind)) for kind, translator in self.translators.items()}
        object.__setattr__(self, "_shapes", shapes)

    def at_rest(self, pair: Pair) -> bool:
        """Is a linked pair as it was when it was found at rest? Then `plan_pair` would find nothing to do."""
        match pair:
            case Pair(crm=Item() as crm, mailbox=Item() as mailbox, link=Link() as link):
                same = self.role_of(crm) is link.role
                return same and at_rest(link, crm, mailbox, self.sealed(link), self._shapes[link.kind])
            case _:
                return False

    def put_to_rest(self, pair: Pair) -> Link | None:
        """The link of a pair for which nothing is to be done: digested by the newest key and, where that can be, as a whole."""
        match pair:
            case Pair(crm=Item() as crm, mailbox=Item() as mailbox, link=Link() as link):
                return put_to_rest(
                    link, crm, mailbox, self.sealed(link), self.translators[link.kind], self._shapes[link.kind]
                )
            case _:
                return pair.link

    def sealed(self, link: Link) -> Sealed:
        version = self.translators[link.kind].version
        return Sealed(link_key(link.mailbox, link.crm_id), version, link.base, self.digests)

    def unlinked(self, kind: Kind, crm_id: str) -> Sealed:
        """A base that knows nothing, for a link that is about to begin."""
        return Sealed(link_key(self.policy.mailbox, crm_id), self.translators[kind].version, {}, self.digests)

    def buried(self, id_: str) -> bool:
        """Was it unlinked for good? A record that only went to another owner may come back."""
        return self.tombstones.get(id_, Reason.REASSIGNED) is not Reason.REASSIGNED

    def is_home(self, item: Item) -> bool:
        return item.id in self.led or self.policy.mailbox in self.policy.homes_of_item(item)

    def role_of(self, item: Item) -> Role:
        """What this mailbox's copy of a record is, as far as the record's owner decides it."""
        if not self.is_home(item):
            return Role.GUEST
        return Role.MEMBER if item.kind is Kind.TASK and item.owner in self.policy.groups else Role.HOME


def plan_pair(pair: Pair, context: Context) -> Action | None:
    """The one action for this pair now, None when there is nothing to do."""
    match pair:
        case Pair(crm=Unread()) | Pair(mailbox=Unread()):
            return _unreadable(pair)
        case Pair(link=Link() as link):
            return _linked(pair, link, context)
        case Pair(crm=Item() as crm, mailbox=Item() as mailbox):
            return _matched(crm, mailbox, pair.because or Reason.MATCHED, context)
        case Pair(crm=Item() as crm):  # its card, if there was one, is gone
            return _crm_only(crm, context)
        case Pair(mailbox=Item() as mailbox):
            return _mailbox_only(mailbox, context)
        case _:
            return None  # gone before it was ever linked


def _unreadable(pair: Pair) -> Wait:
    """Wait under an id by which the pair is found again: without a link only the readable side's, with one the record's (a card that
    is as we left it would be taken for an echo)."""
    if pair.link:
        return Wait(Side.CRM, pair.link.crm_id, Reason.UNREADABLE)
    if isinstance(pair.crm, Unread) and not isinstance(pair.mailbox, Item):
        return Wait(Side.CRM, pair.crm.id, Reason.UNREADABLE)
    side = Side.CRM if isinstance(pair.crm, Item) else Side.MAILBOX
    present = pair.crm if side is Side.CRM else pair.mailbox
    return Wait(side, present.id if present else "", Reason.UNREADABLE)


def _linked(pair: Pair, link: Link, context: Context) -> Action | None:
    policy = context.policy.kinds[link.kind]
    match pair.crm, pair.mailbox:
        case Item() as crm, Item() as mailbox:
            return _both_there(pair, crm, mailbox, link, context)
        case Gone(), Item() as mailbox:
            return _crm_gone(mailbox, link, policy, context)
        case Item() as crm, Gone():
            return _mailbox_gone(crm, link, policy, context)
        case Item(), Left():
            return Unlink(link, Reason.LEFT_FOLDER, tombstone=True)
        case _, Gone() | Left():
            return Unlink(link, Reason.BOTH_DELETED, tombstone=False)
        case _:
            return Wait(Side.CRM, link.crm_id, Reason.UNREADABLE)


def _both_there(pair: Pair, crm: Item, mailbox: Item, link: Link, context: Context) -> Action | None:
    if link.kind is Kind.COMPANY and kind_of_card(mailbox.fields) == Kind.CONTACT.value:
        return _became_contact(mailbox, link, context)
    home = context.is_home(crm)
    if link.role is Role.HOME and not home:
        return _reassigned(pair, crm, mailbox, link, context)
    role = context.role_of(crm)
    sealed, policy = context.sealed(link), context.policy.kinds[link.kind]
    result = _merge(crm, mailbox, sealed, link.kind, role, context)
    over = ended(link, crm, mailbox, sealed, context.remaps.get(link.kind), policy)
    if not (result.writes or result.agreed or role is not link.role or over.pairs):
        return None
    return Update(
        pair,
        {**result.to_crm, **over.clears(Side.CRM)},
        {**result.to_mailbox, **over.clears(Side.MAILBOX)},
        result.agreed,
        _because(result, over),
        (*result.lost, *over.emptied),
        role=role,
        dropped=frozenset({Flag.GUEST_COPY}) if role is not Role.GUEST else frozenset(),
        ended=over.pairs,
    )


def _merge(crm: Item, mailbox: Item, sealed: Sealed, kind: Kind, role: Role, context: Context) -> Merge:
    return merge(crm, mailbox, sealed, context.translators[kind], context.policy.kinds[kind], role)


def _because(result: Merge, over: Ended) -> Reason:
    if over.emptied or (over.pairs and result.writes):
        return Reason.REMAPPED
    if not result.writes:
        return Reason.SAME
    if len(result.edited) == 2:
        return Reason.BOTH_EDITED
    return Reason.CRM_EDITED if result.to_mailbox else Reason.MAILBOX_EDITED


def _became_contact(mailbox: Item, link: Link, context: Context) -> Action:
    """SPEC 1.2: the card now is a person of that company; the company's own card, if it needs one, is made again by its record."""
    policy = context.policy.kinds[Kind.CONTACT]
    if not policy.writes(Side.CRM, link.role):
        return Leave(Side.MAILBOX, mailbox.id, Reason.DIRECTION_OFF)
    if mailbox.id in context.intents:
        return Wait(Side.MAILBOX, mailbox.id, Reason.INTENT_OPEN)
    sealed = context.unlinked(Kind.CONTACT, "")
    values = creation_values(mailbox, Side.CRM, context.translators[Kind.CONTACT], sealed)
    return Create(Side.CRM, Kind.CONTACT, mailbox, values, Reason.BECAME_CONTACT, replaces=link)


def _reassigned(pair: Pair, crm: Item, mailbox: Item, link: Link, context: Context) -> Action:
    """The record went to another owner: first our edits, then the new home takes it over, then our copy goes."""
    result = _merge(crm, mailbox, context.sealed(link), link.kind, Role.HOME, context)
    if result.to_crm:
        return Update(pair, result.to_crm, {}, result.agreed, Reason.REASSIGNED, result.lost)
    new_home = context.policy.homes_of_item(crm)
    if new_home and crm.id not in context.homes:
        return Wait(Side.CRM, crm.id, Reason.OTHER_HOME)
    if crm.id in context.invited:  # deleted, it would be made again as a guest
        flags = frozenset({Flag.GUEST_COPY})
        return Update(pair, {}, result.to_mailbox, result.agreed, Reason.GUEST, result.lost, flags, Role.GUEST)
    if link.origin is Side.MAILBOX or not context.policy.kinds[link.kind].to_mailbox:
        return Unlink(link, Reason.REASSIGNED, tombstone=True)
    return Delete(Side.MAILBOX, mailbox, link, Reason.REASSIGNED, moved=bool(new_home))


def _crm_gone(mailbox: Item, link: Link, policy: KindPolicy, context: Context) -> Action:
    sealed = context.sealed(link)
    translator = context.translators[link.kind]
    touched = edited(Side.MAILBOX, translator.mailbox_values(mailbox.fields, sealed.anchor()), sealed)
    if touched and policy.writes(Side.CRM, link.role):
        if mailbox.id in context.intents:
            return Wait(Side.MAILBOX, mailbox.id, Reason.INTENT_OPEN)
        values = creation_values(mailbox, Side.CRM, translator, sealed)
        return Create(Side.CRM, link.kind, mailbox, values, Reason.EDIT_BEATS_DELETE, replaces=link)
    # somebody else's record took a copy of the user's own card
    own = link.role is Role.GUEST and link.origin is Side.MAILBOX
    if policy.deletes(Side.MAILBOX) and not own:
        return Delete(Side.MAILBOX, mailbox, link, Reason.CRM_DELETED)
    return Unlink(link, Reason.DELETE_LEFT, tombstone=True)


def _mailbox_gone(crm: Item, link: Link, policy: KindPolicy, context: Context) -> Action:
    if link.role is Role.GUEST:
        return Unlink(link, Reason.DELETE_LEFT, tombstone=True)
    if not context.is_home(crm):
        return Unlink(link, Reason.REASSIGNED, tombstone=False)
    sealed = context.sealed(link)
    touched = edited(Side.CRM, context.translators[link.kind].crm_values(crm.fields), sealed)
    if not touched and policy.deletes(Side.CRM):
        return Delete(Side.CRM, crm, link, Reason.MAILBOX_DELETED)
    if policy.writes(Side.MAILBOX) and (touched or policy.mailbox_delete is MailboxDelete.WRITE_BACK):
        if crm.id in context.intents:
            return Wait(Side.CRM, crm.id, Reason.INTENT_OPEN)
        because = Reason.EDIT_BEATS_DELETE if touched else Reason.DELETE_WRITTEN_BACK
        values = creation_values(crm, Side.MAILBOX, context.translators[link.kind], sealed)
        return Create(Side.MAILBOX, link.kind, crm, values, because, replaces=link)
    return Unlink(link, Reason.DELETE_LEFT, tombstone=True)


def _matched(crm: Item, mailbox: Item, because: Reason, context: Context) -> Action:
    """Two items without a link that are the same: joined; what only one of them holds is filled in on the other."""
    again = {None, Reason.LEFT_FOLDER, Reason.COPY_ENDED}
    back = {context.tombstones.get(crm.id), context.tombstones.get(mailbox.id)} <= again
    if not back and (context.buried(mailbox.id) or context.buried(crm.id)):
        return Leave(Side.MAILBOX, mailbox.id, Reason.TOMBSTONE)
    role = context.role_of(crm)
    result = _merge(crm, mailbox, context.unlinked(crm.kind, crm.id), crm.kind, role, context)
    flags = frozenset({Flag.GUEST_COPY}) if role is Role.GUEST else frozenset()
    why = Reason.GUEST if role is Role.GUEST else because
    pair = Pair(crm, mailbox, None, because)
    return Update(pair, result.to_crm, result.to_mailbox, result.agreed, why, result.lost, flags, role)


def _crm_only(crm: Item, context: Context) -> Action | None:
    if context.buried(crm.id):
        return Leave(Side.CRM, crm.id, Reason.TOMBSTONE)
    if not context.is_home(crm):
        if crm.id in context.invited:
            return _create(crm, Side.MAILBOX, Reason.INVITED, context, Role.GUEST)
        return None if context.policy.homes_of_item(crm) else Leave(Side.CRM, crm.id, Reason.WITHOUT_MAILBOX)
    return _create(crm, Side.MAILBOX, Reason.CRM_NEW, context, context.role_of(crm))


def _mailbox_only(mailbox: Item, context: Context) -> Action:
    if mailbox.id in context.tombstones:
        return Leave(Side.MAILBOX, mailbox.id, Reason.TOMBSTONE)
    if not context.translators[mailbox.kind].usable(mailbox.fields):
        return Leave(Side.MAILBOX, mailbox.id, Reason.NO_NAME)
    return _create(mailbox, Side.CRM, Reason.MAILBOX_NEW, context)


def _create(source: Item, target: Side, because: Reason, context: Context, role: Role = Role.HOME) -> Action:
    if not context.policy.kinds[source.kind].writes(target):
        return Leave(source.side, source.id, Reason.DIRECTION_OFF)
    if source.id in context.intents:
        return Wait(source.side, source.id, Reason.INTENT_OPEN)
    crm_id = source.id if source.side is Side.CRM else ""
    sealed = context.unlinked(source.kind, crm_id)
    values = creation_values(source, target, context.translators[source.kind], sealed)
    flags = frozenset({Flag.GUEST_COPY}) if role is Role.GUEST else frozenset()
    return Create(target, source.kind, source, values, because, role=role, flags=flags)
