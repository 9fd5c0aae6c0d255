"""Text that nobody can read is counted, and honest small print is not."""

import pytest

from filterd.html.legible import unreadable
from tests.fuzz.worst import assert_linear, fill


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p style='font-size:1px'>hidden</p>", (6, 0)),
        ("<p style='font-size: 0.5pt; color:red'>hidden</p>", (6, 0)),
        ("<p style='font-size:11px'>small print</p>", (0, 0)),
        ("<p style='font-size:1em'>text</p>", (0, 0)),
        ("<p style='color:#fff; background-color:#fff'>hidden</p>", (0, 6)),
        ("<p style='background:white;color:white'>hidden</p>", (0, 6)),
        ("<p style='color:#fff; background-color:#000'>button</p>", (0, 0)),
        ("<p style='background-color:#fff'>text</p>", (0, 0)),
        ("<font color=white>hidden</font>", (0, 6)),
        ("<table bgcolor=navy><font color=white>heading</font>", (0, 0)),
    ],
)
def test_unreadable_text_is_counted(html: str, expected: tuple[int, int]) -> None:
    """By size, and by colour."""
    assert unreadable(html) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "font-size:1px",
        "color:red;",
        "color:#fff background:",
        "background:#fff color:",
        "<font color=white",
        "<font ",
        "font-size:1px>a",
    ],
)
def test_the_worst_document_is_linear(pattern: str) -> None:
    """Every look ahead is bounded."""
    assert_linear(lambda data: unreadable(data.decode()), fill(pattern.encode()), 200_000)
