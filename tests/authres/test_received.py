"""Received-SPF: RFC 7208, section 9.1, and whose field it is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.authres import received_claims_us, received_spf
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus

US = "mx.filterd.test"
ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# header-field without its name: result FWS key-value-list, values dot-atom or quoted-string.
PAIR = rf'[a-z-]+=(?:{ATEXT}(?:\.{ATEXT})*|"(?:[ !#-\[\]-~]|\\[ -~])*")'
FIELD = re.compile(rf"(pass|fail|softfail|neutral|none|temperror|permerror) ({PAIR}(?:; {PAIR})*)")
TEXTS = st.text(st.sampled_from('ab.@"\\();= \t\r\n\0\x7f\xe4:\u2028'), max_size=30)


def written(result: SpfResult, sender: str = "anna@sender.test", helo: str = "mx.sender.test") -> dict[str, str]:
    """The field's pairs, unquoted, and its result."""
    field = received_spf(result, US, client="2001:db8::1", sender=sender, helo=helo)
    assert all(len(line) <= 998 and line.isprintable() for line in field.replace("\t", " ").split("\r\n"))
    match = FIELD.fullmatch(field.replace("\r\n\t", " "))
    assert match is not None, field
    pairs = dict(pair.partition("=")[::2] for pair in re.findall(PAIR, match[2]))
    return {"result": match[1]} | {
        key: re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text for key, text in pairs.items()
    }


@pytest.mark.parametrize(
    ("status", "cause", "key", "expected"),
    [
        (SpfStatus.PASS, "include:n.test ip4:192.0.2.0/24", "mechanism", "include:n.test"),
        (SpfStatus.FAIL, "-all", "mechanism", "-all"),
        (SpfStatus.NEUTRAL, "?all", "mechanism", "?all"),
        (SpfStatus.NEUTRAL, "no term matched", "mechanism", "default"),
        (SpfStatus.TEMPERROR, "TXT sender.test: timeout", "problem", "TXT sender.test: timeout"),
        (
            SpfStatus.PERMERROR,
            "sender.test has more than one record",
            "problem",
            "sender.test has more than one record",
        ),
        (SpfStatus.NONE, "no record", "problem", None),
    ],
)
def test_what_the_field_says(status: SpfStatus, cause: str, key: str, expected: str | None) -> None:
    """Who was judged by whom, the term that matched (or that none did), and what went wrong."""
    pairs = written(SpfResult(status, "sender.test", SpfScope.MAILFROM, cause))
    assert (pairs.pop(key, None), pairs.pop("result")) == (expected, str(status))
    assert pairs == {
        "receiver": US,
        "identity": "mailfrom",
        "client-ip": "2001:db8::1",
        "envelope-from": "anna@sender.test",
        "helo": "mx.sender.test",
    }


def test_the_identity_of_helo() -> None:
    """It has no sender; and the null sender is the postmaster of the HELO name (RFC 7208, section 2.4)."""
    assert "envelope-from" not in written(SpfResult(SpfStatus.PASS, "mx.sender.test", SpfScope.HELO, "a"))
    pairs = written(SpfResult(SpfStatus.PASS, "mx.sender.test", SpfScope.MAILFROM, "a"), sender="")
    assert pairs["envelope-from"] == "postmaster@mx.sender.test"


@pytest.mark.threat("AR-04")
@given(st.sampled_from(SpfStatus), st.sampled_from(SpfScope), TEXTS, TEXTS, TEXTS)
def test_no_text_ends_or_adds_anything(status: SpfStatus, scope: SpfScope, cause: str, sender: str, helo: str) -> None:
    """Whatever client and domain chose, the field follows the grammar and has the keys that we wrote."""
    pairs = written(SpfResult(status, "sender.test", scope, cause), sender, helo)
    assert pairs["result"] == status
    assert pairs["receiver"] == US
    assert set(pairs) <= {
        *("result", "receiver", "identity", "client-ip", "envelope-from", "helo", "problem", "mechanism"),
    }


@pytest.mark.threat("AR-03")
@pytest.mark.parametrize(
    ("value", "always", "writing"),
    [
        (b" pass (mx.filterd.test: domain of a@b.test designates 192.0.2.1) client-ip=192.0.2.1", True, True),
        (b" pass receiver=MX.Filterd.Test; client-ip=192.0.2.1", True, True),
        (b' pass receiver="mx.\\filterd.test"', True, True),
        (b" pass receiver=mx.fil\r\n terd.test", True, True),
        (b" pass", False, True),
        (b" pass client-ip=192.0.2.1; envelope-from=ceo@bank.test", False, True),
        (b" pass receiver=mx.other.test; client-ip=192.0.2.1", False, False),
        (b" pass Receiver = mx.other.test", False, False),
    ],
)
def test_whose_field_it_is(value: bytes, always: bool, writing: bool) -> None:  # noqa: FBT001  # columns of the table
    """One that names us is ours in any spelling; one that names nobody could be, where we write such fields."""
    assert received_claims_us(value, US, writing=False) is always
    assert received_claims_us(value, US, writing=True) is writing
