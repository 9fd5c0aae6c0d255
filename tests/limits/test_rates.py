"""Whom a recipient counts for, and what a rate of the configuration means."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from filterd.config.rates import Rate as RateConfig
from filterd.config.rates import RateBy
from filterd.limits import Rate, Request
from filterd.model.session import TrustClass
from filterd.store.buckets import SECOND

STRANGER = Request("198.51.100.7", "Alice@Example.org", "Bob@local.test", TrustClass.STRANGER)
USER = replace(STRANGER, trust=TrustClass.AUTHENTICATED, user="Alice")


def rate(by: str, **more: Any) -> Rate:
    """A rate of ten in an hour."""
    return Rate.of("r", RateConfig(by=RateBy(by), limit=10, **more))


class TestSubjects:
    """Rate.subject."""

    @pytest.mark.parametrize(
        ("by", "request_", "expected"),
        [
            ("client", STRANGER, "198.51.100.0/24"),
            ("client", replace(STRANGER, client="2001:db8:1:2:3::4"), "2001:db8:1:2::/64"),
            ("client", replace(STRANGER, client=""), ""),
            ("client", USER, ""),
            ("user", USER, "alice"),
            ("user", STRANGER, ""),
            ("sender", replace(STRANGER, proved=True), "alice@example.org"),
            ("sender", STRANGER, "alice@example.org from 198.51.100.0/24"),
            ("sender", replace(STRANGER, sender="", proved=True), "<> from 198.51.100.0/24"),
            ("recipient", STRANGER, "bob@local.test"),
            ("recipient", replace(STRANGER, recipient="bob+shop@local.test"), "bob@local.test"),
            ("recipient", replace(STRANGER, recipient="+@local.test"), "+@local.test"),
            ("recipient", replace(STRANGER, recipient="postmaster"), "postmaster"),
            ("recipient", USER, ""),
        ],
    )
    def test_by(self, by: str, request_: Request, expected: str) -> None:
        """Each kind has its subject and its trust classes; an unproved sender counts together with his network."""
        assert rate(by).subject(request_) == expected

    @pytest.mark.parametrize("trust", list(TrustClass))
    def test_classes(self, trust: TrustClass) -> None:
        """The classes that are named are the ones it is for."""
        named = rate("recipient", trust=(TrustClass.LOCAL, TrustClass.RELAY))
        assert bool(named.subject(replace(STRANGER, trust=trust))) == (trust in named.classes)

    def test_a_relay_is_no_client(self) -> None:
        """Behind it the client is not known yet, and the relay itself is nobody to be limited."""
        named = rate("client", trust=(TrustClass.RELAY,))
        assert named.subject(replace(STRANGER, trust=TrustClass.RELAY)) == ""

    def test_a_user_sends_as_whom_he_likes(self) -> None:
        """His sender is taken at his word."""
        named = rate("sender", trust=(TrustClass.AUTHENTICATED,))
        assert named.subject(USER) == "alice@example.org"

    def test_prefixes(self) -> None:
        """The operator says what a network is."""
        assert rate("client", ipv4_prefix=32).subject(STRANGER) == "198.51.100.7/32"

    @given(st.text(max_size=900), st.text(max_size=900), st.text(max_size=900), st.booleans())
    def test_any_text(self, sender: str, recipient: str, user: str, proved: bool) -> None:  # noqa: FBT001  # drawn
        """Hostile names give bounded subjects."""
        request = Request("192.0.2.1", sender, recipient, TrustClass.AUTHENTICATED, user, proved=proved)
        for by in RateBy:
            trust = () if by is RateBy.USER else (TrustClass.AUTHENTICATED,)
            assert len(rate(by, trust=trust).subject(request)) <= 400


class TestConfiguration:
    """[rates.NAME]."""

    def test_pace(self) -> None:
        """A token every `per` / `limit` seconds, and `limit` at once where no burst is named."""
        found = Rate.of("r", RateConfig(by=RateBy.USER, limit=200, per=3600, burst=50))
        assert (found.interval, found.capacity) == (18 * SECOND, 50)
        assert Rate.of("r", RateConfig(by=RateBy.USER, limit=200)).capacity == 200

    def test_a_dry_run_does_not_bind(self) -> None:
        """Its bucket hinders nobody."""
        assert [rate("user", dry_run=dry).bucket("a").binding for dry in (True, False)] == [False, True]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"by": "user"},
            {"by": "user", "limit": 0},
            {"by": "user", "limit": 1, "per": 0},
            {"by": "user", "limit": 1, "trust": ["stranger"]},
            {"by": "nobody", "limit": 1},
            {"by": "client", "limit": 1, "ipv4_prefix": 33},
        ],
    )
    def test_wrong(self, wrong: dict[str, Any]) -> None:
        """What cannot be meant is refused."""
        with pytest.raises(ValidationError):
            RateConfig(**wrong)
