"""The operator's allow and block lists, changed by command: clients, authenticated domains, senders, recipients.

All entries of a site are one document in the shared state, with a version. Every front looks at the version every two
seconds, reads the document where it is another, and keeps the last good one in memory and in a file: a store that does
not answer changes nothing, and one that has forgotten is told again. A change is made under a lease, so that two
commands at the same time both count.

What an entry is compared with stands in `claims`: whoever sends mail can write any name into it, so that an allow
entry of a domain or a sender counts only where DKIM, SPF or DMARC has proved it; a block entry counts for the bare
claim. Which of several entries counts stands in `book`.
"""

from filterd.ownlists.book import Book, Found
from filterd.ownlists.changing import ChangeError, change, read
from filterd.ownlists.claims import Claims, claims_of
from filterd.ownlists.document import Change, Document, DocumentError
from filterd.ownlists.entries import Entry, Kind, Which, parse_name
from filterd.ownlists.gate import ListsGate
from filterd.ownlists.keeper import OwnLists

__all__ = [
    "Book",
    "Change",
    "ChangeError",
    "Claims",
    "Document",
    "DocumentError",
    "Entry",
    "Found",
    "Kind",
    "ListsGate",
    "OwnLists",
    "Which",
    "change",
    "claims_of",
    "parse_name",
    "read",
]
