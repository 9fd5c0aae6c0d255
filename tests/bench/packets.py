"""One message as the packets an MTA sends to a milter, ready for the wire, and what the milter's answers say.

As Postfix does it: macros before every command, and what needs no answer held back until something does, so that
header, body and end of message leave in one burst.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

from tests.bench.messages import Message
from tests.support.miltertalk import CHUNK, CONTINUE, HDR_LEADSPC, OMIT, SILENT, Offer
from tests.support.signing import split

FINAL: Final = frozenset(b"cadrty4")
EDIT: Final = frozenset(b"hime+-2bq")
SKIP: Final = b"s"[0]
GO_ON: Final = CONTINUE[0]
EOM: Final = b"E"
_RESULTS: Final = re.compile(rb"\bspf=(\w+)[^;]*smtp\.mailfrom")
_DKIM: Final = re.compile(rb"\bdkim=(\w+)")
_NAME: Final = b"authentication-results"


@dataclass(frozen=True, slots=True)
class Burst:
    """Bytes to send at once, after which one answer comes; `letter` is the last command of it.

    `pauses` is how many steps of the client's own dialogue end here: one for each of HELO, MAIL, RCPT and DATA (asked
    for or not), one for the message itself.
    """

    data: bytes
    letter: bytes
    pauses: int
    content: bool


def negotiation(offer: Offer) -> bytes:
    """The first packet."""
    return _packet(b"O", struct.pack(">III", offer.version, offer.actions, offer.steps))


def bursts(message: Message, steps: int) -> tuple[Burst, ...]:
    """The whole session behind the negotiation, for a milter that chose these protocol steps."""
    found: list[Burst] = []
    held, pauses = b"", 0
    dialogue = _dialogue(message)
    for place, (letter, data, macros) in enumerate([*dialogue, *_content(message, steps)]):
        content = place >= len(dialogue)
        pauses += 0 < place <= len(dialogue)
        if steps & OMIT.get(letter, 0):
            continue
        held += _packet(b"D", letter + macros) + _packet(letter, data)
        if not steps & SILENT.get(letter, 0):
            found.append(Burst(held, letter, pauses, content))
            held, pauses = b"", 0
    return tuple(found)


def goodbye() -> bytes:
    """Postfix ends every message with an abort, the session with a quit."""
    return _packet(b"A") + _packet(b"Q")


def verdicts(edits: list[bytes]) -> tuple[str, str]:
    """The SPF word of the envelope sender and the first DKIM word in the Authentication-Results that was added."""
    for data in edits:
        if _NAME in data[:60].lower():
            return _word(_RESULTS, data), _word(_DKIM, data)
    return "", ""


def _word(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.search(data)
    return "" if found is None else found[1].decode()


def _packet(letter: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data) + 1) + letter + data


def _macros(**values: str) -> bytes:
    """Name and value pairs; names of more than a letter stand in braces on the wire."""
    return b"".join(
        [f"{name if len(name) == 1 else f'{{{name}}}'}\0{value}\0".encode() for name, value in values.items()]
    )


def _dialogue(message: Message) -> list[tuple[bytes, bytes, bytes]]:
    """CONNECT to DATA: letter, data, macros."""
    queue = f"4F{message.number:08X}"
    where = b"4" + struct.pack(">H", 20_000 + message.number % 40_000) + message.client.encode() + b"\0"
    connect = _macros(j="mx.filterd.test", daemon_name="mx.filterd.test", daemon_addr="192.0.2.1", v="Postfix 3.7.11")
    sender, recipient = message.sender, message.recipient
    return [
        (b"C", message.host.encode() + b"\0" + where, connect),
        (b"H", message.host.encode() + b"\0", b""),
        (b"M", f"<{sender}>\0SIZE={len(message.raw)}\0".encode(), _macros(mail_addr=sender, mail_mailer="local")),
        (b"R", f"<{recipient}>\0".encode(), _macros(rcpt_addr=recipient, rcpt_mailer="local")),
        (b"T", b"", _macros(i=queue)),
    ]


def _content(message: Message, steps: int) -> list[tuple[bytes, bytes, bytes]]:
    """Header to end of message."""
    macros = _macros(i=f"4F{message.number:08X}")
    fields, body = split(message.raw)
    found = []
    for name, value in fields:
        given = value if steps & HDR_LEADSPC else value.removeprefix(b" ")
        found.append((b"L", name + b"\0" + given.replace(b"\r\n", b"\n") + b"\0", macros))
    found.append((b"N", b"", macros))
    found += [(b"B", body[start : start + CHUNK], macros) for start in range(0, len(body), CHUNK)]
    return [*found, (EOM, b"", macros)]
