"""The table [actions] on_result: what becomes of a message by the result of one authentication check."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

from filterd.model.authentication import ArcStatus, DkimStatus, DmarcStatus, IprevStatus, SpfStatus
from filterd.model.session import TrustClass


class OnResult(StrEnum):
    """What a result leads to at least; the first leaves it to the score."""

    SCORE = "score"
    ADD_HEADER = "add_header"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    REJECT = "reject"


_STATUSES: Final[tuple[tuple[str, type[StrEnum]], ...]] = (
    ("spf", SpfStatus),
    ("dkim", DkimStatus),
    ("dmarc", DmarcStatus),
    ("arc", ArcStatus),
    ("iprev", IprevStatus),
)
RESULTS: Final = {check: tuple([str(word) for word in statuses]) for check, statuses in _STATUSES}
_TEMPORARY: Final = "temperror"


def _table(value: object) -> object:
    """A word alone means all trust classes; a table names them, the others leave it to the score."""
    if not isinstance(value, dict):
        raise ValueError("expected a table: check = { result = word }")  # noqa: TRY004  # for pydantic
    found = {}
    for check, row in value.items():
        if check not in RESULTS:
            raise ValueError(f"expected a check with results ({', '.join(RESULTS)}), got {check!r}")
        if not isinstance(row, dict):
            raise ValueError(f'{check}: expected a table such as {{ fail = "quarantine" }}')  # noqa: TRY004  # for pydantic
        found[check] = {result: _row(check, result, given) for result, given in row.items()}
    return found


def _row(check: str, result: str, given: object) -> dict[str, object]:
    if result not in RESULTS[check]:
        raise ValueError(f"{check}: expected a result ({', '.join(RESULTS[check])}), got {result!r}")
    classes = [str(trust) for trust in TrustClass]
    # What could not be checked just now is no reason to refuse a message for good.
    allowed = [str(word) for word in OnResult if word is not OnResult.REJECT or result != _TEMPORARY]
    row = dict(given.items()) if isinstance(given, dict) else dict.fromkeys(classes, given)
    for trust, word in row.items():
        if trust not in classes:
            raise ValueError(f"{check}.{result}: expected a trust class ({', '.join(classes)}), got {trust!r}")
        if word not in allowed:
            raise ValueError(f"{check}.{result}: expected one of {', '.join(allowed)}, got {word!r}")
    return row


def _shown(table: dict[str, dict[str, dict[TrustClass, OnResult]]]) -> dict[str, dict[str, dict[str, str]]]:
    return {
        check: {result: {str(trust): str(word) for trust, word in row.items()} for result, row in rows.items()}
        for check, rows in table.items()
    }


ResultTable = Annotated[
    dict[str, dict[str, dict[TrustClass, OnResult]]], BeforeValidator(_table), PlainSerializer(_shown)
]
