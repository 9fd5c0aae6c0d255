"""The streams of a message before the rules: what is asked, how long, and what is kept."""

import base64
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from filterd.inspection import streams as module
from filterd.inspection.inspect import MAX_URL_TEXT, inspect
from filterd.inspection.streams import MAX_CUT, MAX_HITS, MAX_RULES
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob, RuleHit
from filterd.yarascan.engine import Scan

Externals = dict[str, str | int]


class Rules:
    """A scanner that answers as told."""

    rule_set = "set"

    def __init__(self, answer: Callable[[bytes, Externals], Scan]) -> None:
        """`answer` is given the bytes and the externals."""
        self.asked: list[tuple[Externals, float]] = []
        self._answer = answer

    def scan(self, data: bytes | memoryview, externals: Externals, seconds: float) -> Scan:
        """Answer."""
        self.asked.append((externals, seconds))
        return self._answer(bytes(data), externals)


def run(
    raw: bytes,
    scanner: Rules | None = None,
    *,
    sender: str = "",
    seconds: float = 30,
    spf: str = "unknown",
    first_contact: str = "unknown",
    excused: tuple[str, ...] = (),
) -> Inspection:
    """Inspect a whole message."""
    fields, start = split(raw)
    job = InspectionJob("x", fields, len(raw) - start, seconds, 0.0, sender=sender, spf=spf, excused=excused)
    return inspect(replace(job, first_contact=first_contact), memoryview(raw)[start:], scanner)


def multipart(*parts: bytes) -> bytes:
    """A message of these parts, each with its own header."""
    head = b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def hits(externals: Externals, *symbols: str) -> Scan:
    """A scan that hits these symbols."""
    return Scan(tuple(RuleHit(symbol.lower(), "f", symbol, str(externals["filepath"])) for symbol in symbols))


def symbols(facts: Inspection) -> set[str]:
    """The symbols of what was found."""
    return {found.symbol for found in facts.findings}


@pytest.mark.threat("RES-10")
def test_a_scan_cut_short_is_a_finding_and_its_hits_stand() -> None:
    """Rules that did not come to an end are never clean, and take nothing away from what was found."""

    def answer(data: bytes, externals: Externals) -> Scan:
        found = hits(externals, "YARA_A")
        return Scan(found.hits, "too slow: family") if data == b"slow" else found

    facts = run(multipart(b"\r\nfast", b"\r\nslow"), Rules(answer))
    assert [found.evidence for found in facts.findings if found.symbol == "UNSCANNABLE_YARA"] == [
        ("2", "too slow: family")
    ]
    assert facts.problems == ("yara: 2: too slow: family",)
    assert [hit.part for hit in facts.hits] == ["header", "1", "2"]


@pytest.mark.threat("RES-10")
@pytest.mark.parametrize(
    ("scan", "excused", "found"),
    [
        (Scan((), "too slow: dull", ("dull",)), (), True),
        (Scan((), "too slow: dull", ("dull",)), ("dull", "other"), False),
        (Scan((), "too slow: dull, new", ("dull", "new")), ("dull",), True),
        (Scan((), "too slow: dull; 1 files not asked", ("dull",), 1), ("dull",), True),
        (Scan((), "too slow together; 2 files not asked", (), 2), ("dull",), True),
    ],
)
def test_what_an_excused_file_leaves_unsaid_is_no_finding(scan: Scan, excused: tuple[str, ...], found: bool) -> None:  # noqa: FBT001  # a row of the table
    """Only where all others came to an end; it is named in any case."""
    facts = run(multipart(b"\r\nslow"), Rules(lambda data, _: scan if data == b"slow" else Scan()), excused=excused)
    assert ("UNSCANNABLE_YARA" in symbols(facts)) is found
    assert facts.slow == scan.slow
    assert len(facts.problems) == 1


def test_what_is_known_at_mail_reaches_the_rules() -> None:
    """Sender's domain, whether it is new here and the result of SPF, for every stream."""
    rules = Rules(lambda _, __: Scan())
    run(multipart(b"\r\ntext"), rules, sender="a@Sender.test", spf="fail", first_contact="true")
    known = [(asked["sender_domain"], asked["spf"], asked["first_contact"]) for asked, _ in rules.asked]
    assert known == [("sender.test", "fail", "true")] * 3


@pytest.mark.threat("RES-10")
def test_rules_share_the_time_of_their_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand slow parts take no longer than one; what was not scanned is said, not by the thousand."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])

    def answer(_: bytes, __: Externals) -> Scan:
        now[0] += 4.0
        return Scan(cut="too slow")

    rules = Rules(answer)
    facts = run(multipart(*[b"\r\npart"] * 100), rules, seconds=30)
    assert [seconds for _, seconds in rules.asked] == [15.0, 11.0, 7.0, 3.0]
    assert len([found for found in facts.findings if found.symbol == "UNSCANNABLE_YARA"]) == MAX_CUT
    assert len(facts.parts) == 100


def test_a_thousand_hits_push_no_other_rule_out() -> None:
    """A message made to match a harmless rule everywhere does not hide the one that matters."""

    def answer(data: bytes, externals: Externals) -> Scan:
        return hits(externals, "YARA_EVIL") if data == b"evil" else hits(externals, *["YARA_DULL"] * 50)

    facts = run(multipart(*[b"\r\ndull"] * 100, b"\r\nevil"), Rules(answer))
    assert [hit.symbol for hit in facts.hits[MAX_HITS - 1 :]] == ["YARA_DULL", "YARA_EVIL"]


def test_names_of_rules_kept_with_a_part_are_bounded() -> None:
    """The hits say them all; repeating six thousand names for a thousand parts would not fit the answer."""
    facts = run(multipart(b"\r\nx"), Rules(lambda _, e: hits(e, *[f"YARA_{n}" for n in range(500)])))
    assert [len(part.rules) for part in facts.parts] == [MAX_RULES]


def test_externals_are_text_that_yara_takes() -> None:
    """NUL and half surrogates in envelope and names do not keep rules from a part."""
    rules = Rules(lambda _, __: Scan())
    raw = multipart(b'Content-Type: text/plain; name="a\xff.exe"\r\n\r\nx')
    assert run(raw, rules, sender="a@b\0\udcff.test").problems == ()
    externals = rules.asked[1][0]
    assert externals["sender_domain"] == "b?.test"
    assert all(
        "\0" not in value and value.encode() is not None for value in externals.values() if isinstance(value, str)
    )


def test_members_beyond_the_list_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were neither listed nor scanned make a message unscannable."""
    monkeypatch.setattr(module, "MAX_FACTS", 3)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.txt", "x")
    part = b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    facts = run(multipart(part + base64.encodebytes(out.getvalue())))
    assert len(facts.parts) == 3
    assert "UNSCANNABLE_PARTS" in symbols(facts)


def test_text_beyond_the_limit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts together are bounded: each may be a million characters, and there may be a thousand."""
    monkeypatch.setattr(module, "MAX_TEXTS", 8)
    assert "UNSCANNABLE_PARTS" not in symbols(run(multipart(b"\r\n1234", b"\r\n1234")))
    assert "UNSCANNABLE_PARTS" in symbols(run(multipart(b"\r\n1234", b"\r\n1234", b"\r\nmore")))


def test_long_urls_are_not_all_listed_but_their_hosts_are() -> None:
    """The list is for a person; what is looked up is the hosts."""
    urls = b" \r\n".join(b"http://h%d.test/" % n + b"x" * 1_900 for n in range(MAX_URL_TEXT // 1_900 + 50))
    facts = run(b"From: a@b.test\r\n\r\n" + urls)
    assert sum(len(url) for url in facts.urls) <= MAX_URL_TEXT
    assert facts.urls_cut
    assert len(facts.hosts) == MAX_URL_TEXT // 1_900 + 50
