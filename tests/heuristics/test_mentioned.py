import random

import pytest

from filterd.heuristics.mentioned import MAX_ADDRESSES, MAX_LOCAL, MAX_SIGNS, mentioned
from tests.fuzz.worst import assert_linear, fill


def in_text(text: str) -> tuple[str, ...]:
    """The addresses that a text names."""
    return mentioned(b"", (), (text,))


def test_reply_to_comes_first_then_links_then_text() -> None:
    """The order in which an answer would take them."""
    found = mentioned(
        b" Drop <drop@box.example>", ["https://x.example", "mailto:link@box.example"], ["text@box.example"]
    )
    assert found == ("drop@box.example", "link@box.example", "text@box.example")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to anna.b+shop@mail.box.example.", ("anna.b+shop@mail.box.example",)),
        (
            "<anna@box.example>, (bob@box.example); 'eve@box.example'",
            ("anna@box.example", "bob@box.example", "eve@box.example"),
        ),
        ("anna@BOX.Example", ("anna@box.example",)),
        ("..anna@box.example", ("anna@box.example",)),
        ("anna@box.example anna@box.example", ("anna@box.example",)),
        ("@twitter, anna@, anna@localhost, a@b.c, anna@192.0.2.1, @@", ()),
        ("annä@box.example", ()),
        ("", ()),
    ],
)
def test_addresses_in_text_are_found(text: str, found: tuple[str, ...]) -> None:
    """As people write them; what only looks alike is left out."""
    assert in_text(text) == found


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("mailto:anna@box.example", ("anna@box.example",)),
        ("MAILTO:anna%40box.example?subject=x", ("anna@box.example",)),
        (
            "mailto:anna@box.example?cc=bob@box.example&body=eve@box.example",
            ("anna@box.example", "bob@box.example", "eve@box.example"),
        ),
        ("https://user@box.example/", ()),
        ("mailto:", ()),
        ("mailto:%ff%fe@box.example", ()),
    ],
)
def test_addresses_in_links_are_found(link: str, found: tuple[str, ...]) -> None:
    """Those that a click would write to, and the others in the same link (RFC 6068)."""
    assert mentioned(b"", [link], ()) == found


@pytest.mark.threat("DNS-08")
def test_no_more_than_the_cap_is_kept() -> None:
    """A text of a hundred thousand addresses is no reason to carry them all."""
    text = " ".join([f"a{n}@box.example" for n in range(100_000)])
    assert len(in_text(text)) == MAX_ADDRESSES


def test_a_local_part_longer_than_any_is_left_out() -> None:
    """RFC 5321, section 4.5.3.1.1; facts about a message must fit a frame."""
    reply = b"a" * MAX_LOCAL + b"@box.example, " + b"b" * (MAX_LOCAL + 1) + b"@box.example"
    assert mentioned(reply, (), ()) == ("a" * MAX_LOCAL + "@box.example",)


@pytest.mark.threat("DNS-08")
def test_signs_without_addresses_end_the_search() -> None:
    """However many texts they are spread over."""
    assert mentioned(b"", (), ["@" * (MAX_SIGNS - 1), "@ anna@box.example", "bob@box.example"]) == ()


@pytest.mark.threat("DNS-07")
def test_any_bytes_and_texts_are_read_without_an_exception() -> None:
    """No UTF-8, lone surrogates, quotes and brackets without end."""
    rng = random.Random(3)
    pieces = ["@", ".", "a", "\ud800", "\0", "%", "%f", "mailto:", "<", '"', "(", "box.example", "xn--", "\u202e", "é"]
    for _ in range(2_000):
        text = "".join(rng.choices(pieces, k=rng.randrange(40)))
        reply = text.encode("utf-8", "surrogatepass") + rng.randbytes(5)
        assert all("@" in one for one in mentioned(reply, [text, "mailto:" + text], [text]))


@pytest.mark.parametrize("pattern", ["@", "a@", "a", "a.a@", "a@a.", "a@a-", "%", "+@", "x@y.example "])
def test_the_worst_text_is_linear(pattern: str) -> None:
    """No look around an @ goes further than an address is long."""
    assert_linear(lambda data: in_text(data.decode()), fill(pattern.encode()), 20_000)
