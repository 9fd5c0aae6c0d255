"""The whole inspection: facts, borders, and that nothing raises."""

import base64
import gzip
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd import arc
from filterd.dkim import canonical
from filterd.dkim.canonical import body_hashes
from filterd.inspection import inspect as module
from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.authentication import ArcFacts, DkimStatus
from filterd.model.inspection import Inspection, InspectionJob, RuleHit
from filterd.model.message import HeaderField
from filterd.regex.declarations import RegexRule, Target
from filterd.regex.engine import Regexes
from filterd.yarascan.engine import Scan
from tests.arc.chains import MESSAGE, seal
from tests.support.signing import sign

MAIL = (
    b"From: Alice <alice@example.org>\r\nTo: b@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Thu, 01 Jan 2026 11:59:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nsee http://x.test/a\r\n--b\r\nContent-Type: application/gzip; name=a.txt.gz\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(gzip.compress(b"inner", mtime=0))
    + b"\r\n--b--\r\n"
)
SEALED = seal(MESSAGE, "list.example")


class Recorder:
    """A scanner that keeps what it was asked and hits on a word."""

    rule_set = "set"

    def __init__(self) -> None:
        """Nothing asked yet."""
        self.asked: list[tuple[bytes, dict[str, str | int]]] = []

    def scan(self, data: bytes | memoryview, externals: dict[str, str | int], seconds: float) -> Scan:
        """Hit where the data holds "inner"."""
        assert 0 < seconds <= 30
        self.asked.append((bytes(data), externals))
        hit = RuleHit("Inner", "test", "YARA_INNER", str(externals["filepath"]))
        return Scan((hit,) if b"inner" in bytes(data) else ())


def run(raw: bytes, scanner: module.Scanner | None = None) -> Inspection:
    """Inspect a whole message."""
    fields, start = split(raw)
    job = InspectionJob("x", fields, len(raw) - start, 60, 1_767_268_800.0, "192.0.2.7", "alice@Example.org")
    return inspect(job, memoryview(raw)[start:], scanner)


def test_facts_of_a_message() -> None:
    """Author, subject, parts and members with paths and hashes, URLs and hosts."""
    facts = run(MAIL)
    assert facts.author.mailboxes[0].domain == "example.org"
    assert facts.subject == "Gr\u00fc\u00dfe"
    assert facts.message_id == "<1@example.org>"
    assert [(part.path, part.detected_type, part.size, part.depth) for part in facts.parts] == [
        ("1", "text", 19, 1),
        ("2", "gzip", 25, 1),
        ("2/a.txt", "text", 5, 2),
    ]
    assert facts.parts[2].sha256 == hashlib.sha256(b"inner").hexdigest()
    assert facts.urls == ("http://x.test/a",)
    assert facts.hosts == ("x.test",)
    assert facts.findings == ()
    assert facts.problems == ()


def test_e_mail_addresses_beside_the_authors_are_listed() -> None:
    """Reply-To, then links, then text; they are what lists of addresses are asked about."""
    mail = (
        b"From: Alice <alice@example.org>\r\nReply-To: drop@box.test\r\nContent-Type: text/html\r\n\r\n"
        b'Write to eve@text.test or <a href="mailto:bob@link.test?subject=x">me</a>.\r\n'
    )
    assert run(mail).addresses == ("drop@box.test", "bob@link.test", "eve@text.test")


def test_every_stream_is_scanned_with_externals() -> None:
    """Header, parts, members and the whole reach the rules, with what they may ask about."""
    scanner = Recorder()
    facts = run(MAIL, scanner)
    assert [externals["filepath"] for _, externals in scanner.asked] == ["header", "1", "2", "2/a.txt", "message"]
    member = scanner.asked[3][1]
    assert member == {
        "owner": "",
        "client": "192.0.2.7",
        "sender_domain": "example.org",
        "trust": "stranger",
        "spf": "unknown",
        "first_contact": "unknown",
        "filename": "a.txt",
        "filepath": "2/a.txt",
        "extension": "txt",
        "filetype": "text",
        "part_type": "",
        "depth": 2,
        "size": 5,
    }
    assert [hit.symbol for hit in facts.hits] == ["YARA_INNER"]
    assert facts.parts[2].rules == ("Inner",)
    assert facts.rule_set == "set"


def test_a_bug_in_one_stage_is_said_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside a stage is UNSCANNABLE_CRASH, and the rest of the facts are there."""

    def broken(*_: object, **__: object) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(module, "read_author", broken)
    facts = run(MAIL)
    assert [found.symbol for found in facts.findings] == ["UNSCANNABLE_CRASH"]
    assert facts.problems == ("author: RecursionError: deep",)
    assert len(facts.parts) == 3


def test_the_chain_is_read() -> None:
    """With what its keys have to verify; a message without one has none."""
    chain = run(SEALED).arc
    assert chain is not None
    assert (chain.status, chain.instance, chain.seals[0].domain) == (None, 1, "list.example")
    assert run(MAIL).arc == ArcFacts()


@pytest.mark.threat("AUTH-15")
def test_a_chain_that_was_not_read_whole_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a broken one, and not a message without one: a bug, or a body of which only a part was looked at."""
    fields, start = split(SEALED)
    job = InspectionJob("x", fields, 10_000_000, 60, 1_767_268_800.0)
    assert inspect(job, memoryview(SEALED)[start:], None).arc is None

    def broken(*_: object, **__: object) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(arc, "prepare", broken)
    facts = run(SEALED)
    assert (facts.arc, facts.problems) == (None, ("arc: RecursionError: deep",))


@pytest.mark.threat("AUTH-05")
@pytest.mark.parametrize("rest", [1, 10_000_000])
def test_a_signature_over_a_body_that_was_not_read_whole_is_a_temperror(rest: int) -> None:
    """Neither a failure nor, where exactly what was signed has been read and more was appended, a pass."""
    message = sign(MESSAGE, "sender.example", "s")
    fields, start = split(message)
    job = InspectionJob("x", fields, len(message) - start + rest, 60, 1_767_268_800.0)
    (facts,) = inspect(job, memoryview(message)[start:], None).signatures
    assert (facts.status, facts.domain) == (DkimStatus.TEMPERROR, "sender.example")


@pytest.mark.threat("AUTH-01", "AUTH-06")
@pytest.mark.parametrize("more", [((b"X-Pad", b" x"),) * 1_000, ((b"X-Pad", b" " * 250_000),) * 2])
def test_a_signature_under_a_header_that_was_not_read_whole_is_a_temperror(more: tuple[HeaderField, ...]) -> None:
    """Of very many fields the last arrive in one piece, of very long ones not at all: a From may be among them."""
    message = sign(SEALED, "sender.example", "s")
    fields, start = split(message)
    for fill, status, chain in ((more, DkimStatus.TEMPERROR, False), (more[:1], None, True)):
        job = InspectionJob("x", (*fields, *fill), len(message) - start, 60, 1_767_268_800.0)
        facts = inspect(job, memoryview(message)[start:], None)
        assert ([one.status for one in facts.signatures], facts.arc is not None) == ([status], chain)


def test_the_body_is_hashed_once_for_dkim_and_arc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ask for the relaxed form of all of it."""
    asked: list[int] = []

    def counting(body: canonical.Body, forms: list[canonical.BodyForm]) -> dict[canonical.BodyForm, canonical.BodyHash]:
        asked.extend([len(forms)] if forms else [])
        return body_hashes(body, forms)

    monkeypatch.setattr(canonical, "body_hashes", counting)
    facts = run(sign(SEALED, "sender.example", "s"))
    assert ([one.status for one in facts.signatures], facts.arc is not None, asked) == ([None], True, [1])


def test_a_failing_scanner_is_said() -> None:
    """A scan that fails is not a scan that found nothing."""

    class Broken(Recorder):
        def scan(self, data: bytes | memoryview, externals: dict[str, str | int], seconds: float) -> Scan:
            raise RuntimeError(f"{len(data)} {len(externals)} {seconds}")

    facts = run(MAIL, Broken())
    assert {found.symbol for found in facts.findings} == {"UNSCANNABLE_CRASH"}
    assert len(facts.parts) == 3


def test_a_prefix_is_unscannable() -> None:
    """A body of which only a part was looked at says so."""
    fields, start = split(MAIL)
    job = InspectionJob("x", fields, 10_000_000, 60, 0.0)
    assert "UNSCANNABLE_SIZE" in {found.symbol for found in inspect(job, memoryview(MAIL)[start:], None).findings}


def test_undeclared_base64_of_a_program() -> None:
    """A program in base64 that nothing declares is ambiguous, and scanned decoded."""
    body = base64.encodebytes(b"MZ\x90\0" + bytes(range(200))).replace(b"\n", b"\r\n")
    scanner = Recorder()
    facts = run(b"From: a@b.test\r\n\r\n" + body, scanner)
    assert "AMBIGUOUS_ENCODING" in {found.symbol for found in facts.findings}
    assert any(data.startswith(b"MZ") for data, _ in scanner.asked)


@pytest.mark.threat("MIME-21")
def test_hostile_text_stays_encodable() -> None:
    """Whatever stands in the header, all facts can be written as UTF-8."""
    raw = (
        b"From: \xff\xfe <a@b.test>\r\nSubject: \xed\xa0\x80\x1b]0;x\x07"
        + b"\xcc\x81" * 1_000
        + b"\r\n\r\n\xff\xfe\x00"
    )
    assert repr(run(raw)).encode("utf-8") != b""


def mutants(seed: int) -> Iterator[bytes]:
    """MAIL with seeded damage."""
    rng = random.Random(seed)
    pieces = [
        b"--b",
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Type: ",
        b"message/rfc822",
        b"=?utf-8?b?",
        b'"',
        b";",
        b"(",
        b"\0",
        b"<a ",
    ]
    for _ in range(40):
        data = bytearray(MAIL)
        for _ in range(rng.randint(1, 12)):
            place = rng.randrange(len(data))
            if rng.random() < 0.5:
                data[place : place + rng.randint(0, 20)] = rng.choice(pieces)
            else:
                data[place] = rng.randrange(256)
        yield bytes(data)


@pytest.mark.parametrize("seed", range(10))
def test_any_damage_gives_facts(seed: int) -> None:
    """Never an exception, never a crash inside."""
    for raw in mutants(seed):
        assert run(raw).problems == ()


def test_empty_message() -> None:
    """Nothing at all is a message without author."""
    fields: tuple[HeaderField, ...] = ()
    facts = inspect(InspectionJob("x", fields, 0, 60, 0.0), memoryview(b""), None)
    assert "AMBIGUOUS_FROM" in {found.symbol for found in facts.findings}
    assert facts.problems == ()


@pytest.mark.threat("MIME-01")
def test_public_malformed_messages(shared: Path) -> None:
    """Legacy and malformed messages of a public suite are read without a crash inside."""
    paths = sorted((shared / "data" / "mime" / "stalwart").rglob("*.eml"))
    problems = {path.name: found for path in paths if (found := run(path.read_bytes()).problems)}
    assert len(paths) > 100
    assert problems == {}


def regex(symbol: str, target: Target, pattern: str, header: str = "") -> RegexRule:
    """A regex rule that weighs a point."""
    return RegexRule(symbol, target, pattern, 1.0, "x", header, namespace="own")


def test_regex_rules_see_what_a_reader_sees() -> None:
    """Decoded fields and subject, texts, links, names of parts and of what is unpacked, and the body as it came."""
    rules = Regexes(
        [
            regex("REGEX_HEADER", Target.HEADER, "^Müller <", "From"),
            regex("REGEX_SUBJECT", Target.SUBJECT, "^Grüße$"),
            regex("REGEX_BODY", Target.BODY, "^see http"),
            regex("REGEX_RAW", Target.RAW, "name=a[.]txt[.]gz\r\nContent"),
            regex("REGEX_URL", Target.URL, "^http://x.test/a$"),
            regex("REGEX_PACKED", Target.FILE_NAME, "^a[.]txt[.]gz$"),
            regex("REGEX_MEMBER", Target.FILE_NAME, "^a[.]txt$"),
            regex("REGEX_NONE", Target.BODY, "Alice"),
        ]
    )
    raw = MAIL.replace(b"From: Alice", b"From:\r\n =?utf-8?q?M=C3=BCller?=")
    fields, start = split(raw)
    job = InspectionJob("x", fields, len(raw) - start, 60, 1_767_268_800.0)
    facts = inspect(job, memoryview(raw)[start:], Recorder(), regexes=rules)
    names = ["HEADER", "SUBJECT", "BODY", "RAW", "URL", "PACKED", "MEMBER"]
    assert [hit.symbol for hit in facts.hits] == ["YARA_INNER", *[f"REGEX_{name}" for name in names]]
    assert facts.problems == ()


def test_regex_rules_that_fail_cost_only_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and the other facts are there."""
    rules = Regexes([regex("REGEX_A", Target.BODY, "x")])
    monkeypatch.setattr(Regexes, "find", lambda *_: 1 / 0)
    fields, start = split(MAIL)
    job = InspectionJob("x", fields, len(MAIL) - start, 60, 1_767_268_800.0)
    facts = inspect(job, memoryview(MAIL)[start:], None, regexes=rules)
    assert ("UNSCANNABLE_CRASH", ("regex", "ZeroDivisionError")) in [
        (one.symbol, one.evidence) for one in facts.findings
    ]
    assert facts.subject == "Grüße"
