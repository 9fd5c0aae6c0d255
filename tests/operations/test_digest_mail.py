"""What a digest looks like, whatever strangers have written into the mail that it lists."""

import re
import unicodedata
from collections import deque
from dataclasses import replace
from datetime import UTC
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.operations.digest_mail import (
    MAX_ADDRESS,
    MAX_RECIPIENTS,
    MAX_SUBJECT,
    Letterhead,
    Mail,
    Period,
    address,
    compose,
    shown,
)
from filterd.operations.digest_sheets import Audience, Sheet
from filterd.operations.digest_templates import SHIPPED, TemplateError, load_templates, write_templates
from filterd.quarantine import Entry
from filterd.quarantine.entries import entry_of
from tests.quarantine.samples import evidence, identifier, raw
from tests.support.growth import LINEAR, growth

pytestmark = pytest.mark.threat("QUA-08")
PERIOD = Period(1_700_000_000.0, 1_700_100_000)
ESCAPES = (
    "\x1b]0;pwned\x07\x1b[2J\x1b]8;;http://evil.test\x1b\\\x1b]52;c;cHdu\x07\x9b2J a\rb\u202egpj.exe\u2066x\udcff\x00"
)
MARKUP = "</td></table><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'"
TEMPLATE = "$id ${sender} $$ %s {host} {0.__class__}"
FIELDS = "x\r\nBcc: all@b.test\r\n\r\nbody\n.\nQUIT"
HOSTILE = (
    ESCAPES,
    MARKUP,
    TEMPLATE,
    FIELDS,
    "a\u0301" + "\u0301" * 500,
    "\u2028line\u2029\u0085\u200b\ufeff",
    "x" * 100_000,
)


def entry(number: int = 0, **changed: object) -> Entry:
    """A held message."""
    with raw() as message:
        made = entry_of(evidence(number), message)
    return replace(made, **changed)  # type: ignore[arg-type]  # tests name real fields


def letterhead(folder: Path | None = None) -> Letterhead:
    """A site's."""
    return Letterhead("filterd@mx.test", "", "mx.test", UTC, load_templates(folder))


def mail(*entries: Entry, reviewer: bool = True, folder: Path | None = None, to: str = "r@b.test") -> Mail:
    """A digest that lists these."""
    return compose(Sheet("name", to, reviewer, len(entries), deque(entries)), PERIOD, letterhead(folder), 0.0)


def parsed(one: Mail) -> EmailMessage:
    """As a mail programme reads it."""
    made = message_from_bytes(one.raw, policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def part(one: Mail, kind: str) -> str:
    """Its text or its page."""
    found = parsed(one).get_body((kind,))
    assert found is not None
    return str(found.get_content())


class Page(HTMLParser):
    """What a browser makes of a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        """Read it."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """One more."""
        self.text += data


def hostile(text: str) -> Entry:
    """A message that says it everywhere that a stranger can say something."""
    return entry(
        sender=text, header_from=text, subject=text, recipients=(text, text), code=text, client=text, helo=text
    )


# --- hostile content


@pytest.mark.parametrize("reviewer", [True, False], ids=["reviewer", "recipient"])
@pytest.mark.parametrize("text", HOSTILE, ids=["escapes", "markup", "template", "fields", "marks", "lines", "long"])
def test_hostile_texts_are_shown_and_no_more(text: str, *, reviewer: bool) -> None:
    """No control or bidi character, no tag, no field, no further line in text or page, and nothing is filled in."""
    made, plain = mail(hostile(text), reviewer=reviewer), mail(entry(), reviewer=reviewer)
    assert parsed(made).keys() == parsed(plain).keys()
    lines = part(made, "plain").splitlines()
    assert len(lines) == len(part(plain, "plain").splitlines())
    page, harmless = Page(part(made, "html")), Page(part(plain, "html"))
    assert (page.tags, page.attributes) == (harmless.tags, harmless.attributes)
    for letter in set("".join(lines) + page.text.replace("\r\n", "")):
        assert unicodedata.category(letter)[0] != "C", hex(ord(letter))
    assert max(map(len, lines)) < 1_000
    assert len(made.raw) < 20_000
    if text is TEMPLATE:
        assert TEMPLATE in part(made, "plain").replace("[.]", ".")


@given(st.text(max_size=200), st.integers(1, 50))
def test_shown(text: str, most: int) -> None:
    """One line without control, format and undefined characters, of so many characters but for the brackets."""
    line = shown(text, most)
    assert all(unicodedata.category(letter)[0] != "C" for letter in line)
    assert line == " ".join(line.split())
    assert len(line.replace("[.]", ".").replace("[:]", ":")) <= most


DOTS = ".\u2024\u3002\ufe52\uff0e\uff61"


@given(st.text(f"ab:/@{DOTS}\u0301\u00e4 \U0001f4a9", max_size=40))
def test_nothing_is_a_link(text: str) -> None:
    """No dot stands between two characters of a name, and no colon right behind a scheme."""
    line = shown(text, 100)
    dotted = "".join("." if letter in DOTS else letter for letter in line)
    assert re.search(r"[^\s.\[]\.[^\s.\]]", dotted) is None
    assert re.search(r"[a-z]:\S", line) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("see http://evil.test/x?a=1", "see http[:]//evil[.]test/x?a=1"),
        ("www.evil.test", "www[.]evil[.]test"),
        ("evil\u3002test", "evil[.]test"),
        ("evil.\u200btest", "evil[.]test"),
        ("\U0001f4a9.la", "\U0001f4a9[.]la"),
        ("evil\u2024test", "evil[.]test"),
        ("mailto:x@evil.test", "mailto[:]x@evil[.]test"),
        ("192.0.2.1", "192[.]0[.]2[.]1"),
        ("Well... yes. No: 10:30", "Well... yes. No: 10:30"),
        ("a" * 120, "a" * 120),
        ("a" * 121, "a" * 119 + "…"),
    ],
)
def test_shown_examples(text: str, line: str) -> None:
    """Links lie still, words stay words."""
    assert shown(text, MAX_SUBJECT) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("anna.b+shop@a-b.test", "anna.b+shop@a-b.test"),
        ("", "<>"),
        ("\x1b\u202e", "<>"),
        ("www.evil.test@x.test", "www[.]evil[.]test@x[.]test"),
        ("a@b.test.", "a@b.test."),
        ("http://evil.test/@b.test", "http[:]//evil[.]test/@b[.]test"),
        ("a@\u017fhop.test", "a@\u017fhop[.]test"),
        ("a@\u212aino.test", "a@\u212aino[.]test"),
        ('"x y"@b.test', '"x y"@b[.]test'),
        ("a" * 200 + "@b.test", "a" * 99 + "…"),
    ],
)
def test_addresses(text: str, line: str) -> None:
    """A plain address of ASCII is shown as it is, all else as any text, cut."""
    assert address(text) == line
    assert len(line) <= MAX_ADDRESS + 20


def test_many_recipients() -> None:
    """Some are named, the others counted."""
    to = tuple(f"r{number}@b.test" for number in range(500))
    text = part(mail(entry(recipients=to)), "plain")
    assert f"{to[MAX_RECIPIENTS - 1]} and {500 - MAX_RECIPIENTS} more" in text
    assert to[MAX_RECIPIENTS] not in text


def test_cost() -> None:
    """Twice the text costs at most twice as much."""
    assert growth(lambda size: lambda: shown("a.\u0301:\u202e" * size, 10 * size), 20_000) <= LINEAR


LOCAL = st.text(min_size=1, max_size=20)


@given(LOCAL, st.sampled_from(["b.test", "x.below.test", "\u00e4.below.test"]))
def test_to(local: str, domain: str) -> None:
    """Whoever is told at all: To is his address in one field, as it is, and no other."""
    to = f"{local}@{domain}"
    if not Audience((), ("b.test", ".below.test")).has(to):
        return
    made = mail(entry(), reviewer=False, to=to).raw
    head = made.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert [line for line in head if line.lower().startswith((b"to:", b"cc:", b"bcc:"))] == [b"To: " + to.encode()]


# --- the mail


def test_head() -> None:
    """No vacation programme answers, replies go to the site, and lists of one site are known by one name."""
    made = parsed(mail(entry(), entry(1)))
    assert (made["From"], made["To"], made["Subject"]) == ("filterd@mx.test", "r@b.test", "Held mail on mx.test: 2")
    assert (made["Auto-Submitted"], made["List-Id"]) == ("auto-generated", "<held-mail.mx.test>")
    assert made.get_content_type() == "multipart/alternative"
    assert all(len(line) <= 998 for line in mail(hostile("x" * 9_000)).raw.split(b"\r\n"))  # RFC 5322 2.1.1


def test_message_id() -> None:
    """The same for one person and one round, however often it is sent; another for anybody or any round else."""
    sheet, own = Sheet("anna", "a@b.test", reviewer=False), letterhead()
    again = replace_name(sheet, "bob")
    ids = [
        message_from_bytes(compose(one, period, own, now).raw)["Message-ID"]
        for one, period, now in (
            (sheet, PERIOD, 0.0),
            (sheet, PERIOD, 5.0),
            (again, PERIOD, 0.0),
            (sheet, Period(0, 1), 0.0),
        )
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def replace_name(sheet: Sheet, name: str) -> Sheet:
    """The same for somebody else."""
    return Sheet(name, sheet.address, sheet.reviewer)


def test_times_are_the_sites() -> None:
    """In its zone, with the zone's name."""
    own = replace(letterhead(), zone=ZoneInfo("Europe/Berlin"))
    text = part(
        compose(Sheet("n", "r@b.test", reviewer=True, count=1, entries=deque([entry()])), PERIOD, own, 0.0), "plain"
    )
    assert "2023-11-14 23:13 CET" in text


def test_what_each_is_told() -> None:
    """A recipient has the number that the sender was told and no command; a reviewer the id, reason and score."""
    ours, theirs = part(mail(entry()), "plain"), part(mail(entry(), reviewer=False), "plain")
    assert f"{identifier()}  2023-11-14 22:13 UTC  score  12.5" in ours
    assert "filterd quarantine release ID" in ours
    assert f"[{entry().public_id}]" in theirs
    assert identifier() not in theirs
    assert "filterd quarantine" not in theirs
    assert "score" not in theirs


# --- templates


def test_templates_of_a_site(tmp_path: Path) -> None:
    """What is in its folder counts, the rest is as shipped; values are escaped for where they go."""
    (tmp_path / "reviewer.subject").write_text("  Stopped: $count until $until\n")
    (tmp_path / "reviewer-item.html").write_text(
        '<tr><td><a href="https://desk.test/$id?to=$recipient_url">$subject</a></td></tr>'
    )
    made = mail(entry(subject='"><b>x'), folder=tmp_path, to="r+x@b.test")
    assert parsed(made)["Subject"] == "Stopped: 1 until 2023-11-16 02:00 UTC"
    assert f'<a href="https://desk.test/{identifier()}?to=r%2Bx%40b.test">&quot;&gt;&lt;b&gt;x</a>' in part(
        made, "html"
    )
    assert "filterd quarantine show ID" in part(made, "plain")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("reviewer.txt", b"$nonsense", r"reviewer\.txt: \$nonsense is not known here: expected \$count"),
        ("reviewer.subject", b"$subject", r"reviewer\.subject: \$subject is not known here"),
        ("recipient-item.html", b"$items", r"recipient-item\.html: \$items is not known here"),
        ("recipient.html", b"costs 5$", r"recipient\.html: a \$ that names nothing: expected \$name, or \$\$"),
        ("recipient.txt", b"\xff\xfe", r"recipient\.txt: expected UTF-8"),
        ("recipient.txt", b"x" * 300_000, r"recipient\.txt: expected at most 262144 bytes"),
    ],
)
def test_wrong_templates(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    """What cannot be filled is said before anything is sent: which file, what is wrong, what was expected."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TemplateError, match=words):
        load_templates(tmp_path)


def test_a_template_that_is_a_folder(tmp_path: Path) -> None:
    """Also what is no file is named."""
    (tmp_path / "reviewer.txt").mkdir()
    with pytest.raises(TemplateError, match=r"reviewer\.txt: Is a directory"):
        load_templates(tmp_path)


def test_written_templates(tmp_path: Path) -> None:
    """The shipped ones are written once, never over a site's own, and read back make the same mail."""
    folder = tmp_path / "digest"
    assert sorted(path.name for path in write_templates(folder)) == sorted(SHIPPED)
    (folder / "reviewer.txt").write_text("ours $items")
    assert write_templates(folder) == []
    assert "ours" in part(mail(entry(), folder=folder), "plain")
    assert part(mail(entry(), folder=folder), "html") == part(mail(entry()), "html")
