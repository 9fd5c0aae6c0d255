"""An aggregate report as a file, and as a mail to who asked for it (RFC 9990, section 3.5.2)."""

import gzip
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from io import BytesIO
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from filterd.dmarc import Reported, Reporter, feedback, file_name, report_id, subject
from filterd.model.aggregate import Evaluated

MIN_KEY: Final = 1024  # bits; RFC 8301, section 3.2: less is not verified
MAX_LINE: Final = 998  # octets; RFC 5322, section 2.1.1. No parameter is split, which not every reader would join
# What a reader goes by; RFC 6376, section 5.4.1. Fields that name nobody are left out.
_SIGNED: Final = (
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"auto-submitted",
)
_POLICY: Final = SMTP.clone(max_line_length=MAX_LINE)

Sign = Callable[[bytes], bytes]


class SigningError(Exception):
    """The key cannot sign. The text never has anything of it."""


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


def signer(key: bytes, selector: str, domain: str) -> Sign:
    """What signs mails with that key. SigningError where it is none that dkimpy signs with."""
    pem = _usable(key)

    def sign(message: bytes) -> bytes:
        import dkim  # noqa: PLC0415  # 0.2 seconds that only who sends needs

        signature: bytes = dkim.sign(
            message,
            selector.encode(),
            domain.encode(),
            pem,
            canonicalize=(b"relaxed", b"simple"),
            include_headers=list(_SIGNED),
        )
        return signature + message

    return sign


def _usable(key: bytes) -> bytes:
    """The key in the form that dkimpy reads, whatever openssl has written."""
    try:
        loaded = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SigningError("expected a private key in PEM without a passphrase") from None
    if not isinstance(loaded, RSAPrivateKey) or loaded.key_size < MIN_KEY:
        raise SigningError(f"expected an RSA key of {MIN_KEY} bits or more: not everybody verifies another")
    return loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
