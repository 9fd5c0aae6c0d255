from dataclasses import dataclass, field

import pytest

from filterd.checks.dkim import MAX_HINTS, DkimCheck
from filterd.dkim import MAX_SIGNATURES, HashedBody, prepare
from filterd.dns.fake import FakeResolver
from filterd.mime.address import read_author
from filterd.model.authentication import DkimResult, DkimStatus
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Envelope
from tests.checks.views import FakeView, foreseen, run, symbols
from tests.support.signing import RSA_1024, SIGNED_AT, craft, key_record, sign, split

MESSAGE = b"From: Anna <anna@sender.example>\r\nTo: b@example.org\r\nSubject: s\r\nDate: now\r\n\r\nHello\r\n"
KEY = "sel._domainkey.sender.example"
OTHER = "k1._domainkey.esp.example"


@dataclass
class Memory:
    """Selectors as remembered, and what the check has told."""

    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)

    def recall(self, domain: str) -> tuple[str, ...]:
        """What was given."""
        return self.known.get(domain, ())

    def remember(self, domain: str, selector: str) -> None:
        """Note it."""
        self.told.append((domain, selector))


def signed(message: bytes = MESSAGE, domain: str = "sender.example", selector: str = "sel") -> bytes:
    """The message with a good signature that covers everything."""
    return sign(message, domain, selector, RSA_1024)


def view(message: bytes) -> FakeView:
    """The transaction of a message as the inspector has read it."""
    fields, body = split(message)
    author = read_author(tuple(value for name, value in fields if name.lower() == b"from"))
    inspection = Inspection(author, prepare(fields, body, now=SIGNED_AT))
    return FakeView(fields=tuple(fields), inspection=inspection)


def judge(message: bytes, *, fail: tuple[str, ...] = (), memory: Memory | None = None, **records: str) -> CheckReport:
    """The report on a message; the keys of both domains are published unless `records` says otherwise."""
    txt = {KEY: [records.get("key", key_record(RSA_1024))], OTHER: [records.get("other", key_record(RSA_1024))]}
    return run(DkimCheck(memory or Memory()), view(message), FakeResolver(txt=txt, fail=fail))


def results(report: CheckReport) -> list[DkimResult]:
    """The report's results in order."""
    return [one for one in report.auth_results if isinstance(one, DkimResult)]


def test_a_good_signature_passes_and_its_selector_is_remembered() -> None:
    """Next time its key can be asked for at MAIL."""
    memory = Memory()
    report = judge(signed(), memory=memory)
    assert report.outcome is Outcome.OK
    assert [(one.status, one.domain, one.selector) for one in results(report)] == [
        (DkimStatus.PASS, "sender.example", "sel")
    ]
    assert "DKIM_PASS" in symbols(report)
    assert memory.told == [("sender.example", "sel")]


def test_a_bad_signature_fails_and_teaches_nothing() -> None:
    """Anybody can name any selector in a header."""
    memory = Memory()
    for message in (signed().replace(b"Hello", b"Hallo"), signed().replace(b"Subject: s", b"Subject: t")):
        report = judge(message, memory=memory)
        assert (report.outcome, symbols(report)) == (Outcome.OK, ["DKIM_FAIL"])
        assert report.findings[0].evidence[0] == KEY
    assert memory.told == []


def test_an_unsigned_message_is_none() -> None:
    """One result and one symbol, so that the header says that it was looked at."""
    report = judge(MESSAGE)
    assert (results(report), symbols(report)) == ([DkimResult(DkimStatus.NONE)], ["DKIM_NONE"])


@pytest.mark.parametrize(
    ("record", "symbol"),
    [
        ("v=DKIM1; p=", "DKIM_PERMERROR"),
        ("v=DKIM1; k=rsa; p=AAAA", "DKIM_PERMERROR"),
        (key_record(RSA_1024).replace("k=rsa", "k=dsa"), "DKIM_PERMERROR"),
    ],
)
def test_what_is_wrong_with_a_key_has_its_symbol(record: str, symbol: str) -> None:
    """A key that cannot be used is the signer's mistake, not the message's."""
    report = judge(signed(), key=record)
    assert (report.outcome, symbols(report)) == (Outcome.OK, [symbol])


@pytest.mark.threat("AUTH-06")
def test_sha1_is_policy() -> None:
    """RFC 8301: it does not count, whether or not it verifies; no key is asked for."""
    resolver = FakeResolver()
    report = run(DkimCheck(Memory()), view(craft(MESSAGE, {"a": "rsa-sha1", "d": "sender.example"})), resolver)
    assert (symbols(report), resolver.asked) == (["DKIM_POLICY"], [])


def test_a_key_that_cannot_be_fetched_is_unknown() -> None:
    """Not a failure of the message."""
    report = judge(signed(), fail=(f"txt {KEY}",))
    assert (report.outcome, symbols(report)) == (Outcome.UNKNOWN, ["DKIM_TEMPERROR"])
    assert KEY in report.cause


@pytest.mark.threat("AUTH-05")
def test_a_body_that_was_not_read_whole_is_unknown() -> None:
    """Not a failure of the message; no key is asked for, as none could change it."""
    fields, body = split(signed())
    facts = prepare(fields, HashedBody(body, whole=False), now=SIGNED_AT)
    resolver = FakeResolver()
    report = run(DkimCheck(Memory()), FakeView(inspection=Inspection(signatures=facts)), resolver)
    assert (report.outcome, symbols(report)) == (Outcome.UNKNOWN, ["DKIM_TEMPERROR"])
    assert report.cause == f"message is longer than what is read of it: {KEY}"
    assert resolver.asked == []


def test_one_signature_that_passes_is_enough_to_have_checked() -> None:
    """A foreign signer's broken name server does not make the check unknown."""
    report = judge(signed(signed(), "esp.example", "k1"), fail=(f"txt {OTHER}",))
    assert report.outcome is Outcome.OK
    assert {"DKIM_PASS", "DKIM_TEMPERROR"} <= set(symbols(report))


@pytest.mark.threat("AUTH-05")
@pytest.mark.parametrize("appended", [b"", b"<a href=http://evil.example>\r\n"])
def test_text_behind_the_signed_length_is_named(appended: bytes) -> None:
    """A signature that passes over a part of the body says so."""
    report = judge(sign(MESSAGE, "sender.example", "sel", RSA_1024, length=True) + appended)
    assert ("DKIM_L_TAG" in symbols(report)) == bool(appended)
    assert [one.covers_body for one in results(report)] == [not appended]


@pytest.mark.threat("AUTH-08")
def test_fields_that_could_be_added_are_named() -> None:
    """From, Subject, To and Date each signed once more than they stand there, or the symbol."""
    fields = ["from", "to", "subject", "date"]
    once = judge(sign(MESSAGE, "sender.example", "sel", RSA_1024, fields=fields))
    twice = judge(sign(MESSAGE, "sender.example", "sel", RSA_1024, fields=fields * 2))
    assert "DKIM_NOT_OVERSIGNED" in symbols(once)
    assert "DKIM_NOT_OVERSIGNED" not in symbols(twice)


def test_the_author_s_signatures_come_first() -> None:
    """Then those of names around the author's, then strangers'; each group in the order of the header."""
    message = MESSAGE
    for domain in ("esp.example", "sender.example", "mail.sender.example", "esp.test"):
        message = signed(message, domain)
    found = [one.domain for one in results(judge(message))]
    assert found == ["sender.example", "mail.sender.example", "esp.test", "esp.example"]


def test_a_signature_of_the_parent_domain_comes_before_strangers() -> None:
    """It may be aligned just as well."""
    message = MESSAGE.replace(b"@sender", b"@news.sender")
    for domain in ("sender.example", "esp.example"):
        message = signed(message, domain)
    assert [one.domain for one in results(judge(message))] == ["sender.example", "esp.example"]


def test_signatures_of_the_author_s_organisation_come_before_strangers() -> None:
    """A sibling's too: relaxed alignment goes by the organisation."""
    message = MESSAGE.replace(b"@sender", b"@news.sender")
    for domain in ("mail.sender.example", "esp.test"):
        message = signed(message, domain)
    assert [one.domain for one in results(judge(message))] == ["mail.sender.example", "esp.test"]


@pytest.mark.threat("AUTH-06")
def test_all_keys_are_asked_at_once_and_each_once() -> None:
    """However many signatures there are: one round trip, eight keys at most."""
    message = MESSAGE
    for number in range(20):
        message = signed(message, "sender.example", f"s{number % 5}")
    plan = DkimCheck(Memory()).run(view(message))
    questions = next(plan)
    assert len(questions) == len(set(questions)) <= min(5, MAX_SIGNATURES)
    with pytest.raises(StopIteration):
        plan.send(tuple(FakeResolver().lookup(question) for question in questions))


def test_without_inspection_unknown() -> None:
    """An inspector that died says nothing about signatures."""
    report = run(DkimCheck(Memory()), FakeView())
    assert (report.outcome, report.auth_results, report.findings) == (Outcome.UNKNOWN, (), ())


def test_remembered_keys_are_asked_for_at_mail() -> None:
    """Those of the sender's domain."""
    check = DkimCheck(Memory({"sender.example": ("sel", "other", "bad selector")}))
    assert foreseen(check, FakeView(), Stage.MAIL) == [KEY, "other._domainkey.sender.example"]
    assert foreseen(check, FakeView(envelope=Envelope()), Stage.MAIL) == []
    assert foreseen(DkimCheck(Memory()), FakeView(), Stage.MAIL) == []


def test_named_keys_are_asked_for_at_headers() -> None:
    """What the run will ask is under way before the body has come."""
    message = signed(signed(), "esp.example", "k1")
    assert sorted(foreseen(DkimCheck(Memory()), view(message), Stage.HEADERS)) == sorted([KEY, OTHER])
    assert foreseen(DkimCheck(Memory()), view(MESSAGE), Stage.HEADERS) == []
    assert foreseen(DkimCheck(Memory()), view(message), Stage.RCPT) == []


@pytest.mark.threat("AUTH-06")
def test_a_flood_of_signatures_is_bounded_before_dns() -> None:
    """500 fields: as many are read and asked for as the limits say, the rest is never looked at."""
    fields = tuple((b"DKIM-Signature", b" v=1; d=sender.example; s=s%d" % number) for number in range(500))
    names = foreseen(DkimCheck(Memory()), FakeView(fields=fields), Stage.HEADERS)
    assert len(names) == MAX_SIGNATURES <= MAX_HINTS


@pytest.mark.parametrize(
    "value", [b"", b"\0", b" d=x", b" d=..; s=..", b" d=\xff.example; s=s", b" d=a.example; s=" + b"s" * 70]
)
def test_hostile_fields_are_not_asked_for(value: bytes) -> None:
    """What names no key asks for none."""
    assert foreseen(DkimCheck(Memory()), FakeView(fields=((b"DKIM-Signature ", value),)), Stage.HEADERS) == []


def test_declared() -> None:
    """It runs at end of message and needs nobody."""
    assert (DkimCheck(Memory()).stage, DkimCheck(Memory()).needs) == (Stage.EOM, ())
