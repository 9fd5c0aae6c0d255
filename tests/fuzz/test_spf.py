"""SPF records. Invariant: any published text, sender and HELO name give a result, within the limits on lookups.

The first line of an input is the record, the others that of a second domain, the sender and the HELO name.
"""

import re
from dataclasses import replace
from typing import Final

import pytest

from filterd.dns.fake import FakeResolver
from filterd.model.authentication import SpfStatus
from filterd.spf.evaluate import MAX_AHEAD, MAX_CAUSE, MAX_QUESTIONS
from filterd.spf.macros import MAX_NAME, MacroString, parse_macro_string
from filterd.spf.record import MAX_EVIDENCE, Record, RecordError, read, select
from filterd.spf.values import is_askable
from tests.fuzz.engine import Target, fuzz
from tests.spf.zones import CLIENT6
from tests.spf.zones import check as check_host

CAUSE: Final = re.compile(r"[ -~]*")
SEEDS: Final = (
    b"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx ptr include:d1.test ~all\nv=spf1 +all\nalice@d0.test\nhelo.test",
    b"v=spf1 exists:%{ir}.%{v}._spf.%{d2} a:%{L1r+-}.%{o}/24//64 redirect=d1.test\nv=spf1 -all exp=why.test",
    (
        b"v=spf1 mx:far.test/24 ?include:d1.test exp=%{p}.why.test x=%{S}%%%_%- -all\nv=spf1 include:d0.test\n"
        b'"a b"@d0.test\n[192.0.2.1]'
    ),
    b"V=SPF1  a:a.test   -ALL",
    b"v=spf10 x",
)
TOKENS: Final = (
    b" ",
    b"\n",
    b":",
    b"/",
    b"//",
    b"=",
    b"%",
    b"%{",
    b"}",
    b"%{i}",
    b"%{s}",
    b"%{p}",
    b"%{D9r.-+}",
    b"%{c}",
    b"%{l}",
    b"%%",
    b"include:",
    b"include:d0.test",
    b"include:d1.test",
    b"redirect=d1.test",
    b"exp=why.test",
    b"a",
    b"mx",
    b"ptr",
    b"exists:",
    b"ip4:1.2.3.4/",
    b"ip6:::/0",
    b"all",
    b"+",
    b"-",
    b"?",
    b"v=spf1",
    b"x" * 64,
    b"a." * 130,
    b"\0",
    b"\xff",
    b"\xe2\x84\xaa",
    b"@",
)
VALUES: Final = dict.fromkeys("slodiphvcrt", "a.b@c")


def check(data: bytes) -> None:
    """Read the record, then let a message be judged by it."""
    text, other, sender, helo = [*data.decode("latin-1").split("\n", 3), "", "", ""][:4]
    record = read(text)
    if isinstance(record, Record):
        for term in record.terms:
            assert len(term.text) <= MAX_EVIDENCE
        for target in [*[term.target for term in record.terms], record.redirect, record.explanation]:
            if target is not None:
                expand(target)
    else:
        assert isinstance(record, RecordError)
        assert record.reason
    explained = parse_macro_string(text, explanation=True)
    if explained is not None:
        explained.expand_text(VALUES)
    txt = {"d0.test": [text], "d1.test": [other], "why.test": [other], "broken.test": [text, text]}
    for client in ("192.0.2.1", CLIENT6):
        resolver = FakeResolver(txt=txt, fail=("a slow.test",), ptr={"1.2.0.192.in-addr.arpa": ["d0.test", helo]})
        result = check_host(resolver, client=client, sender=sender, helo=helo)
        assert result.status in SpfStatus
        assert len(result.cause) <= MAX_CAUSE
        assert CAUSE.fullmatch(result.cause)
        assert len(set(resolver.asked)) <= MAX_QUESTIONS + MAX_AHEAD
        assert all(is_askable(question.name) for question in resolver.asked)
        if not select([text]):
            assert result.status is SpfStatus.NONE


def expand(target: MacroString) -> None:
    """A name within bounds, for plain and for hostile values."""
    for value in ("a.b@c", "." * 300, "\u212a\0", "x" * 400):
        name = target.expand_name(dict.fromkeys(VALUES, value))
        assert len(name) <= MAX_NAME
        assert not is_askable(name) or name.isascii()


TARGET: Final = Target("spf", check, SEEDS, TOKENS, runs=1_000, largest=4_096)


@pytest.mark.threat("AUTH-10")
def test_any_record() -> None:
    """The invariant over mutants of records and identities."""
    fuzz(TARGET)


@pytest.mark.threat("AUTH-10")
def test_any_identity() -> None:
    """A fixed record that expands everything, hostile senders and names."""
    record = b"v=spf1 exists:%{l}.%{o}.%{h}.%{S}.d0.test include:%{d}.%{L} -all exp=%{H}.test\n\n"

    def judged(data: bytes) -> None:
        check(record + data)

    fuzz(
        replace(
            TARGET,
            name="spf-identity",
            check=judged,
            seeds=(b"alice@d0.test\nhelo.test", b"@\n", b'"@"@x\n.'),
            runs=600,
        )
    )
