"""Patterns that are slow, by their text."""

import pytest

from filterd.yarascan.patterns import slow


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("regex", "/foo.*bar/", ".* repeats without an upper bound"),
        ("regex", r"/foo\s+bar/i", "\\s+ repeats without an upper bound"),
        ("regex", "/foo[a-z]{3,}bar/", "[a-z]{3,} repeats without an upper bound"),
        ("regex", "/(foo)*bar/", ")* repeats without an upper bound"),
        ("regex", "/[a-z]foo/", "begins with [a-z], which fits nearly everywhere: begin it with letters"),
        ("regex", r"/\b\dfoo/", "begins with \\d, which fits nearly everywhere: begin it with letters"),
        ("regex", "/foo", ""),
        ("regex", r"/\bfoo[*+]{1,20}\*\+b{0,5}x?/i", ""),
        ("hex", "{ 01 [4-] 02 }", "a jump without an upper bound"),
        ("hex", "{ 01 [-] 02 }", "a jump without an upper bound"),
        ("hex", "{ 01 [4-9] 02 [3] 03 }", ""),
        ("text", '"ab"', "shorter than 3 bytes"),
        ("text", r'"\x41\n"', "shorter than 3 bytes"),
        ("text", '"abc"', ""),
    ],
)
def test_why_a_pattern_is_slow(kind: str, body: str, words: str) -> None:
    """What is bounded and begins with something of its own passes; what is escaped or in a class is no quantifier."""
    assert slow(kind, body) == words
