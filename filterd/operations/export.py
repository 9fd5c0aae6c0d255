"""Held messages for another desk: in an encrypted zip, with all that is known of them, so that nothing opens by itself.

A scanner on the way does not look into it, and a double click finds a text: a message is called ID.eml.txt. Beside each
lies its evidence, and the manifest says what everything is, with SHA-256. Names in a zip are not encrypted: ours say
nothing. Entries are AES-256 (WinZip's AE-1 and AE-2), which 7-Zip and its like open; Info-ZIP's unzip does not.
"""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from filterd import __version__
from filterd.model.custody import Evidence
from filterd.quarantine import Actor, Entry, Quarantine
from filterd.quarantine.evidence import encode, to_json

PASSWORD: Final = "infected"  # noqa: S105  # what everybody in the trade tries first: it keeps scanners out, not people
MANIFEST: Final = "manifest.json"
MODE: Final = 0o600
_OPTIONS: Final = "zip:encryption=aes256,zip:compression=deflate"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive."""

    name: str
    data: bytes
    time: float


def packed(
    quarantine: Quarantine,
    entries: Sequence[Entry],
    write: Callable[[bytes], int],
    *,
    password: str,
    who: Actor,
    now: float,
) -> None:
    """Write the archive, one message in memory at a time. KeyError, CustodyError, EvidenceError, OSError.

    ArchiveError (an OSError of libarchive's) where the password cannot be used.
    """
    from libarchive import write as library  # noqa: PLC0415  # no other command pays for it

    rows: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with library.custom_writer(write, "zip", options=_OPTIONS, passphrase=password) as archive:

            def add(member: Member) -> None:
                archive.add_file_from_memory(
                    member.name, len(member.data), member.data, permission=MODE, mtime=int(member.time)
                )

            for entry in entries:
                message, evidence = _message(quarantine, entry), _evidence(quarantine.evidence(entry.id))
                add(message)
                add(evidence)
                rows.append(_row(entry, message, evidence))
            add(Member(MANIFEST, to_json(_manifest(rows, who, now)), now))


def _message(quarantine: Quarantine, entry: Entry) -> Member:
    with quarantine.open_raw(entry.id) as source:
        return Member(f"{entry.id}.eml.txt", source.read(), entry.received)


def _evidence(evidence: Evidence) -> Member:
    return Member(f"{evidence.id}.evidence.json", encode(evidence), evidence.received)


def _row(entry: Entry, message: Member, evidence: Member) -> dict[str, Any]:
    sha256 = hashlib.sha256(message.data).hexdigest()
    return {
        "id": entry.id,
        "received": entry.received,
        "state": entry.state.value,
        "sender": entry.sender,
        "recipients": list(entry.recipients),
        "subject": entry.subject,
        "reason": {"code": entry.code, "text": entry.text},
        "score": entry.score,
        "message": {"name": message.name, "size": len(message.data), "sha256": sha256},
        "intact": sha256 == entry.sha256,  # whether these are the bytes that were held
        "evidence": {"name": evidence.name, "sha256": hashlib.sha256(evidence.data).hexdigest()},
    }


def _manifest(rows: list[dict[str, Any]], who: Actor, now: float) -> dict[str, Any]:
    return {
        "made_by": f"filterd {__version__}",
        "exported": now,
        "actor": who.name,
        "warning": "hostile mail: rename ID.eml.txt to ID.eml only where it can do no harm",
        "messages": rows,
    }
