"""What filterd status says in words of block lists that are not asked."""

import pytest

from filterd.cli.status import _protection

LISTS = {
    "zen.test": {"since": "2026-11-18 11:06:40 UTC", "reason": "test point 127.0.0.1 is listed"},
    "cop.test": {"since": "2026-11-18 11:07:00 UTC", "reason": "answered 127.255.255.254"},
}


@pytest.mark.threat("DNS-03")
@pytest.mark.parametrize(
    ("lists", "since", "rows"),
    [
        (None, None, [("block lists", "unknown: the shared state or the rules cannot be read")]),
        ({}, "", [("block lists", "all are asked")]),
        (
            LISTS,
            "2026-11-18 11:06:40 UTC",
            [
                ("unprotected since", "2026-11-18 11:06:40 UTC: mail is not checked against zen.test, cop.test"),
                ("suspended zen.test", "since 2026-11-18 11:06:40 UTC: test point 127.0.0.1 is listed"),
                ("suspended cop.test", "since 2026-11-18 11:07:00 UTC: answered 127.255.255.254"),
            ],
        ),
    ],
    ids=["unknown", "none", "two"],
)
def test_it_is_said_plainly_what_mail_is_not_checked_against(
    lists: dict[str, dict[str, str]] | None, since: str | None, rows: list[tuple[str, str]]
) -> None:
    """Which lists, since when and why; and where that is not known, that it is not."""
    assert list(_protection(lists, since)) == rows
