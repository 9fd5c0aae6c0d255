"""Authors: one reading or a reason why not."""

import pytest

from filterd.mime.address import read_author


@pytest.mark.parametrize(
    ("value", "local", "domain", "display"),
    [
        (b" a@b.test", "a", "b.test", ""),
        (b' "A B" <a@B.Test>', "a", "b.test", "A B"),
        (b" A B <a@b.test>", "a", "b.test", "A B"),
        (b" a@b.test (A B)", "a", "b.test", "A B"),
        (b" =?utf-8?q?J=C3=BCrgen?= <a@b.test>", "a", "b.test", "J\u00fcrgen"),
        (b" \r\n <a@b.test>", "a", "b.test", ""),
        ("a@b\u00fccher.test".encode(), "a", "xn--bcher-kva.test", ""),
        (b' "a@x.test" <a@b.test>', "a", "b.test", "a@x.test"),
        (b" a@b.test <a@b.test>", "a", "b.test", "a@b.test"),
        (b" a@b.test.", "a", "b.test", ""),
        (b" a@b.test (A (the one) \\) B)", "a", "b.test", "A (the one) \\) B"),
        (b' a@b.test (A "B" C)', "a", "b.test", 'A "B" C'),
    ],
)
def test_one_reading(value: bytes, local: str, domain: str, display: str) -> None:
    """Mail as it should be has one author."""
    author = read_author((value,))
    assert author.ambiguous == ""
    assert [(box.local_part, box.domain, box.display) for box in author.mailboxes] == [(local, domain, display)]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param((), id="none", marks=pytest.mark.threat("AUTH-02")),
        pytest.param((b" a@b.test", b" c@d.test"), id="two-fields", marks=pytest.mark.threat("AUTH-01")),
        pytest.param((b" a@b.test, c@d.test",), id="two-domains", marks=pytest.mark.threat("AUTH-02")),
        pytest.param((b" x: a@b.test;",), id="group", marks=pytest.mark.threat("AUTH-02")),
        pytest.param((b"",), id="empty", marks=pytest.mark.threat("AUTH-02")),
        pytest.param((b" <@a.test,@b.test:c@d.test>",), id="route", marks=pytest.mark.threat("AUTH-02")),
        pytest.param((b" =?utf-8?q?a=40b.test?=",), id="encoded", marks=pytest.mark.threat("AUTH-02")),
        pytest.param((b" ceo@bank.test <x@evil.test>",), id="before", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b" <x@evil.test>ceo@bank.test",), id="after", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b" <a@b.test> <c@d.test>",), id="two-brackets", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b" a@b.test)c@d.test",), id="parenthesis", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b" a@b@c.test",), id="two-at", marks=pytest.mark.threat("AUTH-04")),
        pytest.param((b" a@[192.0.2.1]",), id="literal", marks=pytest.mark.threat("AUTH-04")),
        pytest.param((b" a@-b-.test",), id="no-name", marks=pytest.mark.threat("AUTH-04")),
        pytest.param((b" a@b.test\x07",), id="control", marks=pytest.mark.threat("MIME-21")),
        pytest.param((b" <a@b.test",), id="unclosed", marks=pytest.mark.threat("AUTH-02")),
        pytest.param((b" a@b.test(x).c.test",), id="comment-in-domain", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b' (") a@b.test, (") c@d.test',), id="quotes-in-comments", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b' ("a" b") c@d.test',), id="odd-quotes", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b' "x"@b.test "@c.test',), id="quotes-at-both-ends", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b' "a@b.test" "<c@d.test>',), id="unclosed-quote", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b' "a@b.test") <c@d.test>',), id="unopened-comment", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b' "a@b.test"> <c@d.test>',), id="unopened-bracket", marks=pytest.mark.threat("AUTH-03")),
        pytest.param((b' "a@\rb.test" <c@d.test>',), id="carriage-return", marks=pytest.mark.threat("AUTH-03")),
    ],
)
def test_several_readings(values: tuple[bytes, ...]) -> None:
    """What two programs may read differently says so."""
    assert read_author(values).ambiguous != ""


def test_several_mailboxes_of_one_domain_are_clear() -> None:
    """Two authors of one domain leave DMARC no choice."""
    author = read_author((b" a@b.test, c@b.test",))
    assert author.ambiguous == ""
    assert len(author.mailboxes) == 2


@pytest.mark.parametrize(
    "value", [b"(" * 60_000, b"<" * 60_000, b'"' * 60_000, b"a@b.test," * 7_000, b"a" + b" " * 60_000 + b"b"]
)
@pytest.mark.threat("MIME-20")
def test_hostile_lists(value: bytes) -> None:
    """Absurd fields give an author, most often an ambiguous one."""
    assert len(read_author((value,)).mailboxes) <= 100
