"""DMARC records. Invariant: any text is a record or none, and what the RFC says to ignore changes nothing.

Blanks around tags, unknown tags and the case of names are ignored (RFC 9989, section 4.8).
"""

from typing import Final

import pytest

from filterd.dmarc.record import MAX_RECORD, Record, parse, select
from filterd.model.authentication import DmarcPolicy
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

SEEDS: Final = (
    b"v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=r; psd=n; t=y; rua=mailto:a@b.test,mailto:c@d.test!10m",
    b"v=DMARC1;p=none",
    b"V = DMARC1 ; rua=https://x.test/%7e; ruf=mailto:x; fo=1; pct=50; ri=86400; rf=afrf",
    b"v=DMARC1; sp=x; p=reject; rua=mailto:a@b.test",
    b"v=DMARC1",
)
TOKENS: Final = (
    b";",
    b"=",
    b" ",
    b"\t",
    b",",
    b"!",
    b"v=DMARC1",
    b"p=",
    b"p=reject",
    b"p=quarantine",
    b"sp=none",
    b"np=reject",
    b"adkim=s",
    b"psd=y",
    b"t=y",
    b"rua=",
    b"mailto:",
    b"mailto:a@b.test",
    b"%zz",
    b"x=y",
    b"P=REJECT",
    b"\0",
    b"\xff",
    b"\r\n",
)


def check(data: bytes) -> None:
    """Select and read; then the same in other spellings."""
    text = data.decode("latin-1")
    record = select([text])
    assert select(["v=spf1 -all", text, ""]) == record
    if record is None:
        return
    assert isinstance(record, Record)
    assert select([text, text]) is None
    assert record == parse.__wrapped__(text)
    assert record.psd in {"y", "n", "u"}
    for policy in (record.policy, record.existing_below, record.missing_below):
        assert record.asked(policy) in DmarcPolicy
    assert all(report.isascii() and report.isprintable() and ":" in report for report in record.reports)
    assert record.usable or record.policy is DmarcPolicy.NONE
    for other in (text + ";", text + "; unknown=x", text + ";;  ;x", text.replace(";", " ;\t"), spelled(text)):
        if len(other) <= MAX_RECORD:
            assert select([other]) == record, other


def spelled(text: str) -> str:
    """Names of tags in capitals, with blanks around the sign."""
    pieces = [piece.partition("=") for piece in text.split(";")]
    return ";".join(
        [f" {name.upper() if name.isascii() else name} {sign} {value}" for name, sign, value in pieces]
    ).lstrip()


TARGET: Final = Target("dmarc", check, SEEDS, TOKENS, runs=2_500, largest=5_000)


@pytest.mark.threat("AUTH-11")
def test_any_record() -> None:
    """The invariant over mutants of records."""
    fuzz(TARGET)


@pytest.mark.threat("AUTH-11")
@pytest.mark.parametrize(
    "pattern",
    [b";", b"=", b" ", b"a=b;", b"rua=", b"mailto:a@b.test,", b",", b"!", b"!1k", b"%7e", b"p=none;", b"\t="],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Tags, addresses and blanks cost time by their length, up to the longest record that is read."""
    assert_linear(lambda data: parse.__wrapped__(data.decode()), fill(pattern, b"v=DMARC1; rua=mailto:"), 2_000)
    assert_linear(lambda data: select([data.decode()]), fill(pattern, b"v" + b" " * 10), 2_000)
