"""Every heuristic: a message that it finds, and honest mail that none finds."""

import base64
import io
import zipfile
from pathlib import Path
from typing import Final

import pytest

from filterd.heuristics import ALL, SYMBOLS, load_phrases
from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.mime.symbols import HEURISTICS
from filterd.model.inspection import Inspection, InspectionJob
from tests.support.pictures import code, saved

RULES: Final = Path(__file__).resolve().parents[2] / "rules"
NOW: Final = 1_767_268_800.0  # 2026-01-01 12:00 UTC
HEADER: Final = {
    "From": "Alice Example <alice@example.org>",
    "To": "bob@example.net",
    "Subject": "Minutes of Tuesday",
    "Date": "Thu, 01 Jan 2026 11:59:00 +0000",
    "Message-ID": "<1@example.org>",
}
PHRASES: Final = load_phrases(RULES / "phrases.toml")


def examine(raw: bytes, phrases: bool = True) -> Inspection:  # noqa: FBT001, FBT002  # a helper's switch
    """Inspect a whole message without YARA."""
    fields, start = split(raw)
    job = InspectionJob("x", fields, len(raw) - start, 60, NOW)
    return inspect(job, memoryview(raw)[start:], None, phrases=PHRASES if phrases else None)


def mail(body: str = "Hello Bob,\r\nsee you.\r\n", **changes: str | None) -> bytes:
    """An honest message with some fields changed or (None) left out; _ in a name stands for -."""
    fields = dict(HEADER) | {name.replace("_", "-"): value for name, value in changes.items() if value is not None}
    for name, value in changes.items():
        if value is None:
            del fields[name.replace("_", "-")]
    head = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    return f"{head}\r\n{body}".encode()


def html(body: str, **changes: str | None) -> bytes:
    """The same with an HTML body."""
    return mail(f"<html><body>{body}</body></html>", Content_Type="text/html; charset=utf-8", **changes)


def attached(name: str, data: bytes, kind: str = "application/octet-stream") -> bytes:
    """The same with an attachment."""
    content = base64.encodebytes(data).decode()
    return mail(
        f"--b\r\n\r\nHello Bob.\r\n--b\r\nContent-Type: {kind}\r\n"
        f"Content-Disposition: attachment; filename*=utf-8''{name}\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{content}\r\n--b--\r\n",
        Content_Type="multipart/mixed; boundary=b",
    )


def zipped(name: str, data: bytes = b"x", flags: int = 0) -> bytes:
    """A zip of one member, perhaps with flags in its directory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
    raw = bytearray(buffer.getvalue())
    raw[6] |= flags
    raw[raw.rfind(b"PK\x01\x02") + 8] |= flags
    return bytes(raw)


PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(40)
CASES: Final[dict[str, bytes]] = {
    "MISSING_DATE": mail(Date=None),
    "MISSING_MESSAGE_ID": mail(Message_ID=None),
    "MISSING_SUBJECT": mail(Subject=""),
    "MISSING_TO": mail(To=None),
    "DATE_INVALID": mail(Date="yesterday at noon"),
    "DATE_FAR_OFF": mail(Date="Thu, 01 Jan 2015 11:59:00 +0000"),
    "MESSAGE_ID_ODD": mail(Message_ID="12345"),
    "SUBJECT_ALL_CAPS": mail(Subject="READ THIS NOW PLEASE"),
    "SUBJECT_NEEDLESS_ENCODING": mail(Subject="=?utf-8?b?SGVsbG8gQm9i?="),
    "SUBJECT_FAKE_REPLY": mail(Subject="Re: our talk"),
    "DUPLICATE_FIELD": mail().replace(b"Subject: ", b"Subject: Another\r\nSubject: "),
    "MANY_RECIPIENTS": mail(To=", ".join([f"u{number}@example.net" for number in range(60)])),
    "FROM_DISPLAY_ADDRESS": mail(From='"service@bank.test" <x@evil.test>'),
    "FROM_PUNYCODE": mail(From="Alice <a@xn--bcher-kva.example>"),
    "REPLYTO_DIFFERS_FREEMAIL": mail(Reply_To="alice.example@gmail.com"),
    "TO_IS_FROM": mail(To="alice@example.org"),
    "INVISIBLE_CHARACTERS": mail(Subject="In\u200bvoice of today"),
    "MIXED_SCRIPT_WORDS": mail(Subject="Your \u0430pple account"),
    "SUBJECT_SPAM_WORDS": mail(Subject="Viagra for Bob"),
    "BODY_SPAM_PHRASES": mail("Act now! This is risk free.\r\n"),
    "BITCOIN_ADDRESS": mail("Send bitcoin to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT today.\r\n"),
    "BODY_EMPTY": mail("\r\n"),
    "HTML_ONLY": html("<p>Hello Bob</p>"),
    "HTML_HIDDEN_TEXT": html("<p>Hello</p><div style='display:none'>" + "salad " * 50 + "</div>"),
    "HTML_IMAGE_ONLY": html("<a href='http://x.test/'><img src='http://x.test/a.png'></a>"),
    "HTML_FORM": html("<p>Hello Bob</p><form action='http://x.test/'></form>"),
    "HTML_PASSWORD": html("<p>Hello Bob</p><input type=password>"),
    "HTML_SCRIPT": html("<p>Hello Bob</p><script>document.write(1)</script>"),
    "HTML_FRAME": html("<p>Hello Bob</p><iframe src='http://x.test/'></iframe>"),
    "HTML_REFRESH": html("<p>Hello Bob</p><meta http-equiv=refresh content='0;url=http://x.test/'>"),
    "HTML_DATA_LINK": html("<p>Hello Bob</p><a href='data:text/html;base64,AAAA'>open</a>"),
    "LINK_TEXT_MISMATCH": html("<a href='http://evil.test/'>www.bank.example</a>"),
    "URL_IP_HOST": mail("See http://192.0.2.7/login\r\n"),
    "URL_USERINFO": mail("See http://www.bank.example@evil.test/\r\n"),
    "URL_PUNYCODE": mail("See http://b\u00fccher.example/\r\n"),
    "URL_ODD_PORT": mail("See http://x.test:8181/\r\n"),
    "URL_SHORTENER": mail("See https://bit.ly/abc\r\n"),
    "URL_MANY": mail(" ".join([f"http://h{number}.test/" for number in range(60)])),
    "URL_LIMIT": mail(" ".join([f"http://x.test/{number}" for number in range(10_300)])),
    "QR_LINK": attached("a.png", saved(code()), "image/png"),
    "QR_LINK_ONLY": attached("a.png", saved(code()), "image/png"),
    "ATTACH_EXECUTABLE": attached("a.zip", zipped("in/setup.exe", b"MZ\x90\0\x03")),
    "ATTACH_SCRIPT": attached("a.js", b"var a = 1;"),
    "ATTACH_DISK_IMAGE": attached("a.bin", bytes(32_769) + b"CD001"),
    "ATTACH_SHORTCUT": attached("a.bin", b"L\0\0\0\x01\x14\x02\0"),
    "ATTACH_ONENOTE": attached("a.one", b"x"),
    "ATTACH_DOUBLE_EXTENSION": attached("invoice.pdf.exe", b"x"),
    "ATTACH_HIDDEN_EXTENSION": attached("a%E2%80%AEfdp.exe", b"x"),
    "ATTACH_TYPE_MISMATCH": attached("a.png", b"MZ\x90\0\x03", "image/png"),
    "ATTACH_MACRO": attached("a.docm", zipped("word/vbaProject.bin")),
    "ATTACH_HTML": attached("a.htm", b"<html><body>x</body></html>"),
    "ATTACH_ENCRYPTED": attached("a.zip", zipped("a.txt", flags=1)),
}


@pytest.mark.parametrize("symbol", sorted(CASES))
def test_case_is_found(symbol: str) -> None:
    """Each heuristic finds its case."""
    assert symbol in {found.symbol for found in examine(CASES[symbol]).findings}


def test_every_heuristic_has_a_case() -> None:
    """No heuristic without a case, and none twice in the table."""
    assert set(CASES) == SYMBOLS
    assert len(ALL) == len(SYMBOLS)


def test_the_front_knows_every_symbol() -> None:
    """The list that the front's side imports is the catalogue's."""
    assert HEURISTICS == SYMBOLS


@pytest.mark.parametrize(
    "raw",
    [
        mail(),
        mail(Subject="Re: our talk", In_Reply_To="<2@example.net>"),
        mail(Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
        mail(From='"Alice (alice@example.org)" <alice@example.org>'),
        mail("See https://www.example.org/a?b=c and http://example.org:8080/.\r\n"),
        attached("a.png", PNG, "image/png"),
        attached("minutes.v2.pdf", b"%PDF-1.7", "application/pdf"),
        attached("a.zip", zipped("minutes.txt")),
        mail(Reply_To="team@example.org"),
    ],
)
def test_honest_mail_has_no_findings(raw: bytes) -> None:
    """Mail as people write it says nothing."""
    assert examine(raw).findings == ()


@pytest.mark.parametrize(
    ("label", "target"),
    [
        ("www.example.org", "http://example.org/a"),
        ("click here", "http://evil.test/"),
        ("mail.example.org", "https://www.example.org/"),
        ("report.pdf of today", "http://x.test/"),
    ],
)
def test_links_that_say_where_they_lead(label: str, target: str) -> None:
    """The same domain, or text that is no host, is no mismatch."""
    found = examine(html(f"<p>Hello</p><a href='{target}'>{label}</a>")).findings
    assert "LINK_TEXT_MISMATCH" not in {item.symbol for item in found}


def test_without_phrases_nothing_breaks() -> None:
    """The lists are data that may be missing."""
    assert "SUBJECT_SPAM_WORDS" not in {
        item.symbol for item in examine(CASES["SUBJECT_SPAM_WORDS"], phrases=False).findings
    }
