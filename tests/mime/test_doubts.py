"""What operators are told of doubts."""

from filterd.mime.symbols import AMBIGUOUS
from tests.conftest import ROOT


def test_every_class_of_doubt_is_explained() -> None:
    """A symbol that holds mail has a row that says what was found and what it usually is."""
    page = (ROOT / "docs" / "mime.md").read_text()
    assert [symbol for symbol in sorted(AMBIGUOUS) if f"| `{symbol}` |" not in page] == []
