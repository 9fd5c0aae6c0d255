"""Every heuristic: a message that it finds, and honest mail that none finds."""

import base64
import io
import zipfile
from dataclasses import replace
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


def examine(
    raw: bytes, *, phrases: bool = True, client: tuple[str, str] = ("", ""), languages: tuple[str, ...] = ()
) -> Inspection:
    """Inspect a whole message without YARA, as if it came from a client (HELO name, address)."""
    fields, start = split(raw)
    job = InspectionJob("x", fields, len(raw) - start, 60, NOW, helo=client[0], client_address=client[1])
    lists = replace(PHRASES, languages=frozenset(languages)) if phrases else None
    return inspect(job, memoryview(raw)[start:], None, phrases=lists)


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
        MIME_Version="1.0",
    )


def alternative(plain: str, page: str) -> bytes:
    """A text in two versions."""
    return mail(
        f"--b\r\n\r\n{plain}\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>{page}</p>\r\n--b--\r\n",
        Content_Type="multipart/alternative; boundary=b",
        MIME_Version="1.0",
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
RECEIVED: Final = "from a by b; Thu, 1 Jan 2026 12:00:00 +0000"
UTF8: Final = {"Content_Type": "text/plain; charset=utf-8", "MIME_Version": "1.0"}
GERMAN: Final = "Wir haben das und die nicht mit ein auf im der von zu und sich sie auch, ihr den dem des ist. " * 3
CASES: Final[dict[str, bytes]] = {
    "MISSING_DATE": mail(Date=None),
    "MISSING_MESSAGE_ID": mail(Message_ID=None),
    "MISSING_SUBJECT": mail(Subject=""),
    "MISSING_TO": mail(To=None),
    "DATE_INVALID": mail(Date="yesterday at noon"),
    "MISSING_MIME_VERSION": mail("<p>Hello</p>", Content_Type="text/html"),
    "HEADER_8BIT": mail().replace(b"Minutes", b"Minutes \xe4\xf6"),
    "RECIPIENTS_ALIKE": mail(To=", ".join([f"mark{number}@example.net" for number in range(6)])),
    "UNDISCLOSED_RECIPIENTS": mail(To="undisclosed-recipients:;"),
    "LIST_UNSUBSCRIBE_ODD": mail(List_Unsubscribe="<leave@example.org>"),
    "PRIORITY_URGENT": mail(X_Priority="1 (Highest)"),
    "DATE_AHEAD": mail(Date="Thu, 01 Jan 2026 20:59:00 +0000", Received=RECEIVED),
    "DATE_ZONE_ODD": mail(Date="Thu, 01 Jan 2026 11:59:00 -1600"),
    "RECEIVED_UNORDERED": f"Received: {RECEIVED}\r\n".encode()
    + mail(Received="from c by d; Sat, 3 Jan 2026 12:00:00 +0000"),
    "BACKSCATTER": mail(From="Mail Delivery System <MAILER-DAEMON@mx.example.org>"),
    "BOUNCE_FAKE": html("<a href='http://x.test/'>Release</a>", Subject="Delivery Status Notification (Failure)"),
    "MESSAGE_ID_BORROWED": mail(Message_ID="<0000494f0fa2$0000623c$00003155@mail.example.org>"),
    "MESSAGE_ID_FOREIGN": mail(From="Bob <bob@hotmail.com>", Message_ID="<1@mail.other.test>"),
    "MAILER_FORGED": mail(X_Mailer="Microsoft Outlook Express 6.00.2600.0000"),
    "BULK_NO_UNSUBSCRIBE": mail(Precedence="bulk"),
    "UNSUBSCRIBE_TEXT_ONLY": mail("News. Unsubscribe: http://x.test/u\r\n"),
    "ESCAPED_LETTERS": mail(Subject="=?UTF-8?Q?=4E=61=63=68=20=64=65=6D_=C3=BC?="),
    "SUBJECT_TRAILING_ID": mail(Subject="Good news for you          17639"),
    "GAPPY_WORDS": mail(Subject="Your m o r t g a g e today"),
    "SUBJECT_MONEY": mail(Subject="Only $70 today"),
    "SUBJECT_SHOUTS": mail(Subject="Do not miss this!!"),
    "PICTURED_WORDS": mail(Subject="=?utf-8?b?8J+OgSBhIGdpZnQ=?="),
    "FANCY_LETTERS": mail(Subject="\U0001d5d7\U0001d5f2\U0001d5ee\U0001d5ff \U0001d5d5\U0001d5fc\U0001d5ef"),
    "DISGUISED_WORDS": mail(Subject="V1agra for Bob"),
    "SUBJECT_RECIPIENT": mail(To="robert.smith@example.net", Subject="robert.smith@example.net, your quota"),
    "DATE_FAR_OFF": mail(Date="Thu, 01 Jan 2015 11:59:00 +0000"),
    "MESSAGE_ID_ODD": mail(Message_ID="12345"),
    "SUBJECT_ALL_CAPS": mail(Subject="READ THIS NOW PLEASE"),
    "SUBJECT_NEEDLESS_ENCODING": mail(Subject="=?utf-8?b?SGVsbG8gQm9i?="),
    "SUBJECT_FAKE_REPLY": mail(Subject="Re: our talk"),
    "DUPLICATE_FIELD": mail().replace(b"Subject: ", b"Subject: Another\r\nSubject: "),
    "MANY_RECIPIENTS": mail(To=", ".join([f"u{number}@example.net" for number in range(60)])),
    "FROM_DISPLAY_ADDRESS": mail(From='"service@bank.test" <x@evil.test>'),
    "FROM_PUNYCODE": mail(From="Alice <a@xn--bcher-kva.example>"),
    "FROM_MIXED_SCRIPT": mail(From="Alice <a@p\u0430ypal.example>"),
    "FROM_BRAND": mail(From="PayPal Service <x@evil.test>"),
    "FROM_BRAND_DISGUISED": mail(From="N e t f l i x <x@evil.test>"),
    "FROM_BRAND_ADDRESS": mail(From="Alice <netflix-info@evil.test>"),
    "FROM_ROLE_FREEMAIL": mail(From="Account Security <x1@gmail.com>"),
    "FROM_NO_NAME": mail(From="alice@example.org"),
    "FROM_NUMBER": mail(From="Invoice 476309338 <alice@example.org>"),
    "FROM_RANDOM": mail(From="Alice <a@il7d7r02ciohiomg0kx8.test>"),
    "FROM_CHEAP_ENDING": mail(From="Alice <a@alice.click>"),
    "FROM_RECIPIENT": mail(From="example.net Support <a@evil.test>"),
    "FREEMAIL_PAIR": mail(From="Alice <alice@gmail.com>", Reply_To="alice2@yahoo.com"),
    "REPLYTO_DIFFERS": mail(Reply_To="alice@other.test"),
    "REPLYTO_DIFFERS_FREEMAIL": mail(Reply_To="alice.example@gmail.com"),
    "TO_IS_FROM": mail(To="alice@example.org"),
    "INVISIBLE_CHARACTERS": mail(Subject="In\u200bvoice of today"),
    "MIXED_SCRIPT_WORDS": mail(Subject="Your \u0430pple account"),
    "SUBJECT_SPAM_WORDS": mail(Subject="Viagra for Bob"),
    "BODY_SPAM_PHRASES": mail("Act now! This is risk free.\r\n"),
    "BODY_MANY_PHRASES": mail("Dear customer, act now, no obligation, risk free, order now, lowest price.\r\n"),
    "LURE_ACCOUNT": mail("Please verify your account.\r\n"),
    "LURE_PRIZE": mail("Claim your prize here.\r\n"),
    "LURE_FRAUD": mail("I am the next of kin of a late father with a million dollars.\r\n"),
    "LURE_OFFER": mail("Call now: no obligation.\r\n"),
    "LURE_MEDICINE": mail("Cialis with no prescription.\r\n"),
    "LURE_PARCEL": mail("There was a delivery attempt today.\r\n"),
    "LURE_REMOVE": mail("This is not spam. To be removed, write to us.\r\n"),
    "LURE_PRESSURE": mail("Dear customer, answer within 24 hours.\r\n"),
    "BODY_SHOUTS": mail("Buy! Now! Here! Today! Only! You!\r\n"),
    "BODY_ONLY_FILE": attached("a.pdf", b"%PDF-1.7", "application/pdf").replace(b"Hello Bob.", b""),
    "BODY_SHORT_LINK": html("<p>Your file: <a href='http://x.test/a'>open</a></p>"),
    "GREETS_ADDRESS": mail("Dear robert.smith@example.net,\r\nhello.\r\n", To="robert.smith@example.net"),
    "ZERO_WIDTH_TEXT": mail("v\u200be\u200br\u200bi\u200bf\u200by n\u200bo\u200bw\u200bs\u200b \r\n", **UTF8),
    "MIXED_SCRIPT_TEXT": mail("Your \u0430pple \u0430ccount is l\u043ecked\r\n", **UTF8),
    "FANCY_TEXT": mail("".join([chr(0x1D5EE + number) for number in range(20)]), **UTF8),
    "TEXT_HTML_DIFFER": alternative(
        " ".join([f"word{n}" for n in range(40)]), " ".join([f"text{n}" for n in range(40)])
    ),
    "BASE64_NEEDLESS": mail("SGVsbG8gQm9iLg==", Content_Transfer_Encoding="base64", MIME_Version="1.0"),
    "LANGUAGE_FOREIGN": mail(GERMAN),
    "CHARSET_FOREIGN": mail("", Content_Type="text/plain; charset=koi8-r", MIME_Version="1.0")
    + "привет".encode("koi8-r"),
    "ALTERNATIVE_ALONE": mail(
        "--b\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n--b--\r\n",
        Content_Type="multipart/alternative; boundary=b",
    ),
    "REPORT_FALSE": mail(
        "--b\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n--b--\r\n",
        Content_Type="multipart/report; boundary=b",
    ),
    "CHARSET_UNKNOWN": mail(Content_Type="text/plain; charset=no-such"),
    "BITCOIN_ADDRESS": mail("Send bitcoin to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT today.\r\n"),
    "BODY_EMPTY": mail("\r\n"),
    "HTML_ONLY": html("<p>Hello Bob</p>"),
    "HTML_HIDDEN_TEXT": html("<p>Hello</p><div style='display:none'>" + "salad " * 50 + "</div>"),
    "HTML_TINY_TEXT": html("<p>Hi</p><div style='font-size:1px'>" + "salad " * 50 + "</div>"),
    "HTML_FAINT_TEXT": html("<p>Hi</p><div style='color:#fff;background:#fff'>" + "salad " * 50 + "</div>"),
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
    "URL_IP_DISGUISED": mail("See http://3221225991/login\r\n"),
    "URL_MIXED_SCRIPT": mail("See http://p\u0430ypal.example/\r\n", **UTF8),
    "URL_ESCAPED": mail("See http://x.test/%6c%6f%67%69%6e\r\n"),
    "URL_MANY_LABELS": mail("See http://a.b.c.d.e.x.test/\r\n"),
    "URL_PROGRAM": mail("See http://x.test/invoice.exe\r\n"),
    "URL_RECIPIENT": mail("See http://x.test/#bob@example.net\r\n"),
    "URL_FREE_HOSTING": mail("See https://login.web.app/\r\n"),
    "URL_PICTURE_HOST": html("<p>Hello Bob</p><img src='https://i.imgur.com/a.png'>"),
    "URL_CHEAP_ENDING": mail("See https://bank.icu/\r\n"),
    "URL_REDIRECTOR": mail("See https://www.google.com/url?q=https://evil.test/\r\n"),
    "URL_IN_URL": mail("See https://x.test/go?to=https://evil.test/\r\n"),
    "URL_RANDOM_HOST": mail("See https://xkqzwvtrp.test/\r\n"),
    "URL_LURE_HOST": mail("See https://secure-login.x.test/\r\n"),
    "URL_BRAND": mail("See https://paypal-login.test/\r\n"),
    "LINKS_FOREIGN": html("<p>Hello Bob</p><a href='http://evil.test/'>open</a>"),
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
    "ATTACH_OLD_ARCHIVE": attached("order.ace", b"x"),
    "ATTACH_LURE": attached("invoice_7.zip", zipped("a.txt"), "application/zip"),
    "ATTACH_ENCRYPTED": attached("a.zip", zipped("a.txt", flags=1)),
}
# What depends on the client, or on what the operator reads, beside the message.
CLIENTS: Final = {
    "HELO_BARE_ADDRESS": ("192.0.2.1", "192.0.2.1"),
    "HELO_UNQUALIFIED": ("mypc", "192.0.2.1"),
    "HELO_FALSE_ADDRESS": ("[192.0.2.9]", "192.0.2.1"),
}
LANGUAGES: Final = {"LANGUAGE_FOREIGN": ("en",), "CHARSET_FOREIGN": ("en", "de")}


@pytest.mark.parametrize("symbol", sorted(CASES))
def test_case_is_found(symbol: str) -> None:
    """Each heuristic finds its case."""
    found = examine(CASES[symbol], languages=LANGUAGES.get(symbol, ()))
    assert symbol in {one.symbol for one in found.findings}


@pytest.mark.parametrize("symbol", sorted(CLIENTS))
def test_client_is_found(symbol: str) -> None:
    """A HELO name that no honest server says is found, and an honest one is not."""
    assert symbol in {one.symbol for one in examine(mail(), client=CLIENTS[symbol]).findings}
    assert examine(mail(), client=("mx.example.org", "192.0.2.1")).findings == ()
    assert examine(mail(), client=("[192.0.2.1]", "192.0.2.1")).findings == ()


def test_every_heuristic_has_a_case() -> None:
    """No heuristic without a case, and none twice in the table."""
    assert CASES.keys() | CLIENTS.keys() == SYMBOLS
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
