"""Evidence comes back as it was, whatever text a message put into it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.quarantine.evidence import EvidenceError, decode, encode
from tests.quarantine.samples import evidence

HOSTILE = [
    "lone\udc80",
    "\ud800",
    "\ud83d\ude00 as a pair",
    "😀",
    "\0",
    "\0dc80",
    "\\u0000",
    "\x1b]0;x\a",
    "\u202e",
    "",
]


@pytest.mark.threat("QUA-03")
def test_round_trip() -> None:
    """Every field of every nested value survives."""
    assert decode(encode(evidence())) == evidence()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text(text: str) -> None:
    """Text that UTF-8 cannot hold, and text that looks like its escape, come back exactly, in keys too."""
    given_evidence = replace(evidence(subject=text, sender=text), macros={text: text}, helo=text)
    assert decode(encode(given_evidence)) == given_evidence


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_text(text: str) -> None:
    """Any sequence of code points comes back exactly."""
    given_evidence = replace(evidence(), helo=text)
    assert decode(encode(given_evidence)).helo == text


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_json(text: str) -> None:
    """Any JSON parser reads it."""
    assert json.loads(encode(replace(evidence(), helo=text)))["version"] == 1


def test_no_inspection() -> None:
    """Evidence of a message that no inspector survived."""
    given_evidence = replace(evidence(), inspection=None, reports=())
    assert decode(encode(given_evidence)) == given_evidence


def test_fields_that_came_later_have_their_defaults() -> None:
    """What an earlier release wrote stays readable: it had no comment beside an override, which was empty."""
    plain = json.loads(encode(evidence()))
    for report in plain["reports"]:
        for result in report["auth_results"]:
            if result["method"] == "dmarc":
                del result["override_comment"]
                assert result["override"] == ""
    assert decode(json.dumps(plain).encode()) == evidence()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"version": 2}',
        b'{"version": 1}',
        b'{"version": 1, "id": "\\ud800"}',
        b"[" * 100_000,
        b'"\xff"',
        encode(evidence()).replace(b'"spf"', b'"spx"'),
        encode(evidence()).replace(b'"192.0.2.7"', b"7", 1),
        encode(evidence()).replace(b'"version":1', b'"version":2'),
    ],
)
def test_refused(data: bytes) -> None:
    """Unknown versions, damaged and foreign files are EvidenceError and nothing else."""
    with pytest.raises(EvidenceError):
        decode(data)
