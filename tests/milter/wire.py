"""Looking at a daemon from outside while speaking milter with it."""

import json
import os
import re
import socket
import time
from collections.abc import Mapping
from typing import Any

import psutil

from filterd.model.custody import JournalRow
from filterd.quarantine import Journal, JournalFilter
from filterd.quarantine.segments import Kind, Segments
from tests.support.daemon import Filterd
from tests.support.dnsserver import Records
from tests.support.miltertalk import Answer, Mail, Offer, Session, split_message
from tests.support.process import wait_until
from tests.support.smtp import Pose
from tests.support.world import GOOD, zone

REFUSED = Pose("203.0.113.67", "[UNAVAILABLE]", "bot67.dialup.test")  # on more lists than anybody is let through with


def internet() -> dict[str, Mapping[str, Records]]:
    """The tests' small Internet, and a client nobody wants mail from."""
    lists: dict[str, Mapping[str, Records]] = {
        "67.113.0.203.zen.spamhaus.org": {"A": ["127.0.0.2", "127.0.0.4", "127.0.0.9"]},
        "67.113.0.203.bl.spamcop.net": {"A": "127.0.0.2"},
        "bulk.test.dbl.spamhaus.org": {"A": "127.0.1.2"},
    }
    return {**zone(), **lists}


def greeted(daemon: Filterd, pose: Pose = GOOD, offer: Offer | None = None) -> Session:
    """A session whose client has said who it is."""
    session = Session(daemon.listen, offer or Offer())
    session.connect(pose.name if pose.name != "[UNAVAILABLE]" else f"[{pose.address}]", pose.address)
    session.helo(pose.helo)
    return session


def mail(raw: bytes, sender: str = "alice@aligned.test", **rest: Any) -> Mail:
    """A message as the session sends it."""
    fields, body = split_message(raw)
    return Mail(sender=f"<{sender}>", fields=fields, body=body, **rest)


def judged(daemon: Filterd, session: Session, message: Mail) -> tuple[Answer, dict[str, Any]]:
    """The answer to a message, and its line in the log."""
    before = len(daemon.events("message"))
    answer = session.message(message)
    wait_until(lambda: len(daemon.events("message")) > before, "its line in the log")
    return answer, daemon.events("message")[-1]


def row(daemon: Filterd, identifier: str) -> JournalRow:
    """A message's row in the journal, which is written within 50 ms."""
    journal = Journal(daemon.folder / "state" / "journal.sqlite", clock=time.time)
    found: list[JournalRow] = []

    def there() -> bool:
        found[:] = journal.search(JournalFilter(identifier=identifier))
        return bool(found)

    wait_until(there, "its row in the journal")
    journal.close()
    return found[0]


def status(daemon: Filterd) -> dict[str, Any]:
    """What the daemon says of itself."""
    file = daemon.folder / "state" / "status.json"
    wait_until(file.exists, "the daemon's first word of itself")  # a front answers a moment before it
    state: dict[str, Any] = json.loads(file.read_text())
    return state


def front(daemon: Filterd) -> psutil.Process:
    """The process of its only front."""
    (pid,) = status(daemon)["fronts"]
    return psutil.Process(pid)


def metric(daemon: Filterd, name: str) -> float:
    """A metric without labels, now."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.folder / "metrics.sock"))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    found = re.search(rf"^{name}(?:_total)? ([0-9.e+-]+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def quarantined(daemon: Filterd) -> list[str]:
    """The ids of held messages, as their evidence is stored."""
    segments = Segments(daemon.folder / "state" / "quarantine" / "segments", os.fsync)
    records = [record for name in segments.names() for _, record in segments.scan(name)]
    return sorted(record.name for record in records if record.kind is Kind.EVIDENCE)
