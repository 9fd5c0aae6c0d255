"""An aggregate report as a file, and as a mail to who asked for it (RFC 9990, section 3.5.2)."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from io import BytesIO
from typing import Final

from filterd.dmarc import Reported, Reporter, feedback, file_name, report_id, subject
from filterd.model.aggregate import Evaluated

MAX_LINE: Final = 998  # octets; RFC 5322, section 2.1.1. No parameter is split, which not every reader would join
_POLICY: Final = SMTP.clone(max_line_length=MAX_LINE)


@dataclass(frozen=True, slots=True)
class File:
    """A report, packed; `kinds` rows of `messages`."""

    name: str
    content: bytes
    kinds: int
    messages: int


def pack(reporter: Reporter, reported: Reported, rows: Iterable[tuple[Evaluated, int]]) -> File:
    """Make the file. The same rows make the same bytes."""
    kinds = messages = 0

    def counted() -> Iterable[tuple[Evaluated, int]]:
        nonlocal kinds, messages
        for evaluated, count in rows:
            kinds, messages = kinds + 1, messages + count
            yield evaluated, count

    buffer = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as packed:
        for piece in feedback(reporter, reported, counted()):
            packed.write(piece.encode("ascii"))
    return File(file_name(reporter, reported), buffer.getvalue(), kinds, messages)


def compose(reporter: Reporter, reported: Reported, file: File, address: str, now: float) -> bytes:
    """The mail, not signed. Sent again it has the same Message-ID and the same file name."""
    identifier = report_id(reporter, reported)
    to = hashlib.sha256(address.encode()).hexdigest()[:8]
    message = EmailMessage(policy=_POLICY)
    message["From"] = reporter.email
    message["To"] = address
    message["Subject"] = subject(reporter, reported)
    message["Date"] = formatdate(now)
    message["Message-ID"] = f"<{identifier}.{to}@{reporter.domain}>"
    # RFC 3834, section 5: nobody's vacation programme answers.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"This is a DMARC aggregate report (RFC 9990) on mail in the name of {reported.domain}, as\n"
        f"{reporter.domain} has received it. It was made because the domain's DMARC record asks for it (rua=).\n"
    )
    message.add_attachment(file.content, maintype="application", subtype="gzip", filename=file.name)
    return message.as_bytes()
