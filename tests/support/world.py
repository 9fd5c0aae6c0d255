"""A small Internet for tests, demo and bench: sending domains with SPF, DKIM and DMARC, listed clients, an EICAR zip.

Domains are `aligned.test` (everything in order), `strict.test` (p=reject), `hard.test` (SPF -all, no DMARC); clients
have documentation addresses. Nothing here is random: the same call gives the same bytes.
"""

import base64
import zipfile
from io import BytesIO
from typing import Final

from tests.support.dnsserver import ZoneData
from tests.support.lists import healthy_points
from tests.support.signing import key_record, sign
from tests.support.smtp import Pose

SELECTOR: Final = "s1"
GOOD: Final = Pose("192.0.2.10", "mail.aligned.test", "mail.aligned.test")
STRANGER: Final = Pose("198.51.100.77", "[UNAVAILABLE]", "pc77.dialup.test")
LISTED: Final = Pose("203.0.113.66", "[UNAVAILABLE]", "bot.dialup.test")
BASE64_LINE: Final = 57  # bytes that make a line of 76 characters
EICAR: Final = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
DATE: Final = "Mon, 23 Nov 2026 10:00:00 +0000"


def zone() -> ZoneData:
    """The records; what is not there does not exist."""
    key = key_record()
    return {
        "aligned.test": {"TXT": "v=spf1 ip4:192.0.2.10 -all", "MX": ["10 mail.aligned.test"], "A": "192.0.2.10"},
        "mail.aligned.test": {"A": "192.0.2.10", "TXT": "v=spf1 a -all"},
        "10.2.0.192.in-addr.arpa": {"PTR": "mail.aligned.test"},
        f"{SELECTOR}._domainkey.aligned.test": {"TXT": key},
        "_dmarc.aligned.test": {"TXT": "v=DMARC1; p=quarantine"},
        "strict.test": {"TXT": "v=spf1 ip4:192.0.2.20 -all", "A": "192.0.2.20"},
        f"{SELECTOR}._domainkey.strict.test": {"TXT": key},
        "_dmarc.strict.test": {"TXT": "v=DMARC1; p=reject"},
        "hard.test": {"TXT": "v=spf1 ip4:192.0.2.30 -all", "A": "192.0.2.30"},
        "66.113.0.203.zen.spamhaus.org": {"A": "127.0.0.4"},
        "pills.test.dbl.spamhaus.org": {"A": "127.0.1.2"},
        **healthy_points(),
    }


def message(
    sender: str,
    subject: str,
    text: str = "Good morning,\r\n\r\nthe minutes of Monday are attached below.\r\n\r\nKind regards\r\n",
    *,
    number: int = 1,
    extra: str = "",
) -> bytes:
    """A plain message; `extra` holds more header lines, each with its CRLF."""
    domain = sender.rpartition("@")[2]
    head = (
        f"From: Some Body <{sender}>\r\nTo: <user@local.test>\r\nSubject: {subject}\r\nDate: {DATE}\r\n"
        f"Message-ID: <{number}.{len(subject)}@{domain}>\r\n{extra}"
    )
    return (f"{head}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}").encode()


def with_attachment(sender: str, subject: str, name: str, data: bytes, kind: str = "application/octet-stream") -> bytes:
    """A message of two parts, the second in base64."""
    lines = [base64.b64encode(data[start : start + BASE64_LINE]) for start in range(0, len(data), BASE64_LINE)]
    domain = sender.rpartition("@")[2]
    head = (
        f"From: Some Body <{sender}>\r\nTo: <user@local.test>\r\nSubject: {subject}\r\nDate: {DATE}\r\n"
        f"Message-ID: <a{len(data)}@{domain}>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="=_edge"\r\n\r\n'
        "--=_edge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nAs agreed on the phone, here is the file.\r\n"
        f'--=_edge\r\nContent-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return head.encode() + b"\r\n".join(lines) + b"\r\n--=_edge--\r\n"


def eicar_zip() -> bytes:
    """EICAR as the only member of a zip."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("invoice.com"), EICAR)
    return buffer.getvalue()


def signed(mail: bytes, domain: str = "aligned.test", *, now: int) -> bytes:
    """The message with a DKIM signature of that domain, signed at `now`."""
    return sign(mail, domain, SELECTOR, now=now)


SPAM: Final = message(
    "winner@cheap.test",
    "CONGRATULATIONS!!! You have WON $$$ 1,000,000",
    "Dear friend,\r\n\r\nyou have been selected! Claim your prize now, act now, limited time offer, 100% free,"
    " no risk, risk free. Buy viagra online, cheap meds without prescription. Click here to"
    " http://pills.test/claim?id=1 and send your bank details and social security number.\r\n\r\n"
    "This is not spam. To be removed click http://pills.test/remove\r\n",
)
