"""Entries of lists: what they may say, and what proves that a message is meant."""

import pytest

from filterd.model.authentication import DkimResult, DkimStatus, SpfResult, SpfScope, SpfStatus
from filterd.model.identity import Identities, Identity, Proved

SIGNED = Proved(dkim=("mail.example.org",))


@pytest.mark.parametrize("text", ["dkim:example.org", "spf:.example.org", "ip:192.0.2.0/24", "ip:2001:db8::/32"])
def test_an_entry_is_shown_as_it_is_written(text: str) -> None:
    """An operator finds his own words again."""
    assert str(Identity.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.org", "expected entries such as"),
        ("from:example.org", "expected entries such as"),
        ("dkim:", "expected a domain name"),
        ("dkim:user@example.org", "expected a domain name"),
        ("dkim:org", "expected a domain name"),
        ("spf:*.example.org", "expected a domain name"),
        ("dkim:bücher.example", "xn--"),
        ("ip:192.0.2.1/24", "expected a network behind ip:"),
        ("ip:example.org", "expected a network behind ip:"),
    ],
)
def test_what_is_no_entry_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    """A bare domain would be a From field's: it proves nothing."""
    with pytest.raises(ValueError, match=expected):
        Identity.parse(text)


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        ("dkim:mail.example.org", True),
        ("dkim:.mail.example.org", True),
        ("dkim:.example.org", True),
        ("dkim:example.org", False),
        ("dkim:.ample.org", False),
        ("spf:mail.example.org", False),
        ("ip:192.0.2.0/24", False),
    ],
)
def test_a_domain_means_itself_and_with_a_dot_all_below(entry: str, matches: bool) -> None:  # noqa: FBT001  # a table
    """Never a name that only ends in the same letters, nor another kind of proof."""
    assert (Identities.parse([entry]).match(SIGNED) is not None) is matches


def test_an_address_is_in_its_network() -> None:
    """Of either family."""
    entries = Identities.parse(["ip:192.0.2.0/24", "ip:2001:db8::/32"])
    assert [
        str(entries.match(Proved(address=address))) for address in ("192.0.2.7", "2001:db8::7", "198.51.100.1")
    ] == [
        "ip:192.0.2.0/24",
        "ip:2001:db8::/32",
        "None",
    ]


def test_only_what_counts_is_proved() -> None:
    """Signatures over the whole body with keys in earnest; SPF of the envelope sender."""
    proved = Proved.of(
        [
            DkimResult(DkimStatus.PASS, "Good.example"),
            DkimResult(DkimStatus.PASS, "partial.example", covers_body=False),
            DkimResult(DkimStatus.PASS, "testing.example", testing=True),
            DkimResult(DkimStatus.FAIL, "broken.example"),
            SpfResult(SpfStatus.PASS, "helo.example", SpfScope.HELO),
            SpfResult(SpfStatus.PASS, "sender.example", SpfScope.MAILFROM),
            SpfResult(SpfStatus.SOFTFAIL, "soft.example", SpfScope.MAILFROM),
        ],
        "192.0.2.1",
    )
    assert proved == Proved(("good.example",), ("sender.example",), "192.0.2.1")


def test_an_empty_list_is_false_and_matches_nobody() -> None:
    """So that whoever asks may skip the work."""
    assert not Identities()
    assert Identities().match(SIGNED) is None
