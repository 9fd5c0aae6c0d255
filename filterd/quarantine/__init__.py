"""Held mail: where it is kept, how it is found again, and a journal of all mail.

Custody: `Quarantine.hold` returns only after the raw bytes and the evidence are fsynced (as files: renamed, their
folders fsynced) and the ledger entry is committed with synchronous FULL. Whatever fails before that is CustodyError,
leaves nothing visible, and the client is told to try again. Kept at least once: a crash between the commit and the
reply makes the client send the message again; entries of equal bytes, sender and recipients are listed as one, with
their number.

    ledger.sqlite    one row per held message, audit rows (SQLite, WAL)
    segments/...     raw bytes and evidence of ordinary size, one behind the other (segments.py)
    blobs/ab/abc...  large raw bytes, named by their SHA-256; shared by entries
    evidence/ID.json what the verdict of those was made from (evidence.py is the format)
    drafts/          files under way; emptied at start

For more than one node the ledger is in PostgreSQL (postgres.py), and messages and evidence in a directory or a store
that all nodes share (shared.py); without locks, then.

A hold of a large message locks the folder of its blob (flock, shared), a removal does so exclusively: no blob goes
while a hold counts on it being there. Of what is in segments the ledger's transactions see to that.

A file or record without an entry can remain after a crash; an entry without its files cannot. All is 0700 and 0600,
and nothing is kept where it is not. `Journal` is a separate database: losing its last 50 ms in a crash is acceptable,
losing a held message is not.
"""

from filterd.quarantine.blobs import raw_digest
from filterd.quarantine.chain import AuditRow, ChainState
from filterd.quarantine.changes import Attempt, Lease
from filterd.quarantine.custodian import Quarantine
from filterd.quarantine.entries import Actor, Entry, EntryFilter, State
from filterd.quarantine.evidence import EvidenceError
from filterd.quarantine.journal import Journal, JournalFilter, Sighting
from filterd.quarantine.opening import Place, open_quarantine

__all__ = [
    "Actor",
    "Attempt",
    "AuditRow",
    "ChainState",
    "Entry",
    "EntryFilter",
    "EvidenceError",
    "Journal",
    "JournalFilter",
    "Lease",
    "Place",
    "Quarantine",
    "Sighting",
    "State",
    "open_quarantine",
    "raw_digest",
]
