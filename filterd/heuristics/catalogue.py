"""All heuristics in one table, and how they are run."""

from typing import Final

from filterd.heuristics import attachment, deception, header, html, url
from filterd.heuristics.subject import Heuristic, Subject
from filterd.mime.symbols import finding
from filterd.model.report import Finding

ALL: Final[tuple[tuple[str, Heuristic], ...]] = (
    *header.TABLE,
    *deception.TABLE,
    *html.TABLE,
    *url.TABLE,
    *attachment.TABLE,
)
SYMBOLS: Final[frozenset[str]] = frozenset([symbol for symbol, _ in ALL])


def run_all(subject: Subject) -> tuple[list[Finding], list[str]]:
    """The findings of all heuristics, and which of them failed by a bug of ours ("SYMBOL: error")."""
    found: list[Finding] = []
    failed: list[str] = []
    for symbol, heuristic in ALL:
        try:
            evidence = heuristic(subject)
        except Exception as error:  # noqa: BLE001  # one broken heuristic must not silence the others; it is reported
            failed.append(f"{symbol}: {type(error).__name__}: {error}"[:200])
            continue
        if evidence is not None:
            found.append(finding(symbol, *evidence))
    return found, failed
