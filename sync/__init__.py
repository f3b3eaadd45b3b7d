"""The engine: how a mailbox and the CRM are brought together, and why nothing is lost or doubled.

A timer *sweeps* the CRM's list of changes once for everybody (`sweep`) and marks the mailboxes concerned; a queue message starts
a *run* of one mailbox (`run`). A run

    gather   the mailbox's delta, the marks and the pending ids; the links of both; each other side's present value    I/O
    match    items without a link: stamp, e-mail with agreeing names, name and company                                 pure
    plan     pairs -> actions, each with its reason: `plan.plan_pair`, a table of 3 x 3 cells, and `merge` by field    pure
             (without those in which nothing was edited since they were found at rest: `resting`)
    brake    more deletions than normal become a hold                                                                  pure
    apply    intent -> call -> result, in batches; deletions last                                                      I/O
    record   links, bases, pending rows, history in one transaction; the checkpoint when all before it is settled      I/O

What makes it safe:
- A change is a value whose digest differs from the base (`Held`), not a newer time: our own writes coming back are no change.
- A creation is written down (intent) before the call and resolved by look-up after a crash, before anything new is planned.
- A deletion travels only with a proof (`Proof`); absence in a listing is nothing.
- A checkpoint moves only when every item before it is settled or has a pending row.
- A worker writes only while its lease's fence number is the newest, and no longer than its lease.

A run takes the families of kinds in turn, each with its own listing and ledger: people (contacts, companies), then the calendar, where
`events` says what is special about events, `calendar` gathers what they need, `recurring` and `cutting` treat a series of the CRM as a whole;
then tasks (`tasks`, `todo`).

A meeting is one event of the CRM and a copy in each calendar: `meetings` says whose copy leads, `invitations` who is invited and what was
answered (both pure); `keeping`, `preparing`, `strangers` learn and settle what they need; `mails` charges what will be sent before it is written.

Where to read next: `model` (the nouns), `plan` (the decisions; everybody must read it), `merge`, `tests/unit/test_plan.py`, `run`.
"""
