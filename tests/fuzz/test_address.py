"""From fields. Invariant: an author without doubt is one domain, and no other plausible reader finds another one.

The other readers are the standard library's, and two simple ones: the first and the last thing outside quotes and
comments that looks like an address.
"""

import re
from dataclasses import replace
from email.utils import getaddresses
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.domains import normalise
from filterd.mime.address import read_author, read_mailboxes
from filterd.mime.header import unfold
from filterd.mime.limits import MAX_ADDRESSES
from tests.fuzz.corpus import values
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

SEEDS: Final = (
    b" Alice <alice@example.org>",
    b" alice@example.org",
    b' "Alice, B." <alice@example.org>',
    b" alice@example.org (Alice (the one) \\) x)",
    b' "a b"@example.org',
    b" A <@r.test,@s.test:alice@example.org>",
    b" undisclosed: a@b.test, c@b.test;",
    b" =?utf-8?q?Al=C3=ADce?= <alice@example.org>, Bob <bob@example.org>",
    b' "ceo@bank.test" <x@evil.test>',
    b" ceo@bank.test <x@evil.test>",
    b" <alice@[192.0.2.1]>",
    " J\u00fcrgen <j\u00fcrgen@b\u00fccher.example>".encode(),
    b"\r\n Alice\r\n\t<alice@example.org>\r\n",
)
TOKENS: Final = (
    b"<",
    b">",
    b"@",
    b'"',
    b"(",
    b")",
    b"\\",
    b",",
    b";",
    b":",
    b"[",
    b"]",
    b"\0",
    b" ",
    b"\r\n ",
    b"=?utf-8?q?",
    b"?=",
    b"=?utf-8?b?Y2VvQGJhbmsudGVzdA==?=",
    b"ceo@bank.test",
    b"<ceo@bank.test>",
    b"(ceo@bank.test)",
    b'"ceo@bank.test"',
    b"\xe2\x80\x8b",
    b"\xef\xbc\xa0",
    b"\xff",
    b".",
    b"xn--",
)
SKIPPED: Final = re.compile(rb"\"(?:[^\"\\]|\\.)*\"|\((?:[^()\\]|\\.)*\)", re.DOTALL)
ADDRESS: Final = re.compile(rb"[^\s<>()\",;:@\\]+@[^\s<>()\",;:@\\]+")


def others(value: bytes) -> set[str]:
    """The domains that other readers take for the author's."""
    text = unfold(value)
    shown = SKIPPED.sub(b" ", text)
    while SKIPPED.search(shown):
        shown = SKIPPED.sub(b" ", shown)
    plain = ADDRESS.findall(shown)
    found = {address.rpartition(b"@")[2].decode("utf-8", "replace") for address in plain}
    if b"[" not in shown and b"]" not in shown:  # which the library takes for a domain anywhere
        found |= {address.rpartition("@")[2] for _, address in parsed(text) if "@" in address}
    return {name for domain in found if (name := normalise(domain)) is not None}


def parsed(text: bytes) -> list[tuple[str, str]]:
    """Names and addresses as the standard library reads them."""
    try:
        return getaddresses([text.decode("utf-8", "replace")])
    except RecursionError:
        return []


def check(value: bytes) -> None:
    """Read one From field, then two."""
    author = read_author((value,))
    assert len(author.mailboxes) <= MAX_ADDRESSES
    for mailbox in author.mailboxes:
        assert mailbox.domain == "" or normalise(mailbox.domain) == mailbox.domain
        (mailbox.local_part + mailbox.display).encode()
    if not author.ambiguous:
        domains = {mailbox.domain for mailbox in author.mailboxes}
        assert len(domains) == 1
        assert domains != {""}
        assert others(value) <= domains
    assert read_mailboxes(value) == (author.mailboxes if value else ())
    assert read_author((value, value)).ambiguous
    assert read_author((value + b"\0",)).ambiguous


TARGET: Final = Target("address", check, SEEDS, TOKENS, runs=2_500, largest=4_096)


@pytest.mark.threat("AUTH-02", "AUTH-03")
def test_any_bytes() -> None:
    """The invariant over mutants of all kinds of addresses."""
    fuzz(TARGET)


@pytest.mark.threat("AUTH-03")
def test_mutants_of_real_authors(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real fields."""
    fuzz(replace(TARGET, name="real-address", seeds=values(mail, b"from", b"reply-to", b"sender"), runs=1_500))


ATOMS: Final = st.text("abcXYZ019.!#-", min_size=1, max_size=12).filter(lambda text: text.strip(".") != "")
NAMES: Final = st.text("abc \u00e9\u4e2d.'", max_size=20)


@given(
    NAMES, ATOMS, st.lists(st.sampled_from(["example", "bank", "xn--bcher-kva", "a-b", "x1"]), min_size=2, max_size=4)
)
@example("a.b", ".", ["a", "b"])
def test_what_is_written_plainly_is_read(display: str, local: str, labels: list[str]) -> None:
    """A quoted name and an address in brackets are that mailbox, without doubt."""
    domain = ".".join(labels)
    author = read_author((f' "{display}" <{local}@{domain}>'.encode(),))
    assert author.ambiguous == ""
    assert [(box.local_part, box.domain, box.display) for box in author.mailboxes] == [(local, domain, display.strip())]


@pytest.mark.threat("MIME-20")
@pytest.mark.parametrize(
    "pattern",
    [
        b"(",
        b"()",
        b"<",
        b"<>",
        b'"',
        b'"a" ',
        b"\\",
        b"a@b.test,",
        b"a@b.test ",
        b"<a@b.test>,",
        b"<a@b.test> ",
        b",",
        b";",
        b"a:",
        b"@",
        b" ",
        b"\r\n ",
        b"=?utf-8?q?a?= ",
        b"=?",
        b"x",
        b"a.",
        b"\xff",
    ],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Brackets, comments, quotes, words and thousands of addresses cost time by their length."""
    assert_linear(lambda value: read_author((value,)), fill(pattern, tail=b"<a@b.test>"), 30_000)
    assert_linear(lambda value: read_author((value,)), fill(pattern, b"<", b"@b.test>"), 30_000)
