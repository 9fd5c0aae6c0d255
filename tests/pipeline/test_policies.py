"""Whose policy a recipient has: which entry names it, and which of several counts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.pipeline.policies import EntryError, Policies, Policy, entry_key, is_plain, parted
from tests.pipeline.fakes import POLICY, SCORES

# From the most specific on: each entry fits user+shop@mx.example.org.
FITTING = (
    "user+shop@mx.example.org",
    "user@mx.example.org",
    "user+shop@",
    "user@",
    "mx.example.org",
    ".example.org",
    ".org",
)


def _policies(*entries: str, delimiter: str = "+") -> Policies:
    """Each entry has a policy of its own name."""
    return Policies(
        {entry_key(entry): Policy(replace(POLICY, name=entry), SCORES, (entry,)) for entry in entries}, delimiter
    )


def _name(policies: Policies, address: str) -> str:
    found = policies.of(address)
    return "" if found is None else found.name


@pytest.mark.parametrize("first", range(len(FITTING)))
def test_the_most_specific_entry_counts(first: int) -> None:
    """An address before a name at any domain before a domain before what it lies below, whatever the order written."""
    entries = FITTING[first:]
    assert _name(_policies(*entries), "user+shop@mx.example.org") == entries[0]
    assert _name(_policies(*reversed(entries)), "user+shop@mx.example.org") == entries[0]


@pytest.mark.parametrize(
    "address",
    [
        "User@Example.ORG",
        '"user"@example.org',
        '"\\u\\s\\e\\r"@example.org',
        "user@example.org.",
        "user+tag@example.org",
        '"user+tag"@example.org',
        "user+a+b@example.org",
        "@relay.test,@other.test:user@example.org",
    ],
)
@pytest.mark.threat("MTA-19")
def test_one_mailbox_has_one_policy_however_it_is_spelt(address: str) -> None:
    """Case, quotes, a final dot, an extension and a source route (RFC 5321) name no other mailbox."""
    assert _name(_policies("user@example.org"), address) == "user@example.org"


@pytest.mark.parametrize(
    "address", ["user@example.net", "user@sub.example.org", "users@example.org", "+tag@example.org", "user", "", "@"]
)
def test_other_mailboxes_have_not(address: str) -> None:
    """Neighbours, hosts below, and what is no address at all."""
    assert _name(_policies("user@example.org", "example.com"), address) == ""


def test_a_domain_is_not_below_itself() -> None:
    """`.example.org` means those below it; both are written where both are meant."""
    policies = _policies(".example.org")
    assert _name(policies, "user@example.org") == ""
    assert _name(policies, "user@a.b.example.org") == ".example.org"
    assert _name(policies, "user@badexample.org") == ""


def test_a_name_needs_no_domain() -> None:
    """`<postmaster>` is an address (RFC 5321, section 4.1.1.3), and so is the same name at any domain."""
    policies = _policies("postmaster@", "example.org")
    assert {_name(policies, one) for one in ("postmaster", "Postmaster@example.org", "postmaster@x.test")} == {
        "postmaster@"
    }


def test_domains_in_unicode_are_their_a_labels() -> None:
    """What the operator writes and what the client says need not be spelt alike."""
    assert _name(_policies("bücher.example"), "user@xn--bcher-kva.example") == "bücher.example"
    assert _name(_policies("xn--bcher-kva.example"), "user@Bücher.example") == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("delimiter", "found"), [("", ""), ("-", ""), ("+", "user@example.org"), ("-+", "user@example.org")]
)
def test_the_delimiter_is_the_mtas(delimiter: str, found: str) -> None:
    """Behind which character a name is an extension is the operator's to say; none: every name is whole."""
    assert _name(_policies("user@example.org", delimiter=delimiter), "user+shop@example.org") == found


def test_a_local_part_that_looks_like_a_domain_is_none() -> None:
    """No spelling of a local part reaches an entry of another kind."""
    policies = _policies("example.org", ".example.org", "root@")
    for address in ('"x@example.org"@other.test', "example.org", '"root@"@other.test', ".example.org@other.test"):
        assert _name(policies, address) == "", address


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ("User@Example.org", "user@example.org"),
        ("postmaster@", "postmaster@"),
        ("Example.ORG.", "example.org"),
        (".Example.org", ".example.org"),
        ('"john doe"@example.org', "john doe@example.org"),
        ("localhost", "localhost"),
    ],
)
def test_entries_have_a_normal_form(entry: str, key: str) -> None:
    """As addresses have, so that the same thing written twice is seen."""
    assert entry_key(entry) == key


@pytest.mark.parametrize(
    "entry", ["", " ", "@", "@example.org", "*", "*@example.org", " a@b", "a@b c", "..", "a@.b", "x\n", "-"]
)
def test_what_names_nobody_is_refused(entry: str) -> None:
    """With what was expected."""
    with pytest.raises(EntryError, match=r"expected user@example\.org, user@, example\.org or \.example\.org"):
        entry_key(entry)


PLAIN = (
    "<user@example.org>",
    "user@example.org",
    "<User+tag@Example.ORG.>",
    '<"user"@example.org>',
    '<"a b\\"c"@example.org>',
    "<.a..b.@example.org>",
    "<us\u00e4r@b\u00fccher.example>",
)
ODD = (
    "<@relay:user@example.org>",
    "<<user@example.org>>",
    "<user@example.org",
    "user@example.org>",
    "<user@example.org;>",
    "<user @example.org>",
    "<us\\er@example.org>",
    "<user%example.org@relay>",
    "<relay!user@example.org>",
    '<"a@b"@example.org>',
    "<user@[192.0.2.1]>",
    "<user@a,b@c>",
    "<us\udcffer@example.org>",
    "<user>",
    "<>",
    "",
    "<user@example.org>\n",
)


@pytest.mark.threat("MTA-19")
@pytest.mark.parametrize(("exact", "plain"), [*[(one, True) for one in PLAIN], *[(one, False) for one in ODD]])
def test_plain_is_what_every_mta_reads_alike(exact: str, plain: bool) -> None:  # noqa: FBT001  # a parameter
    """An address alone; routes, second brackets, ends of groups and whatever else an MTA takes away are odd."""
    assert is_plain(exact) is plain


@given(st.text(max_size=200))
def test_any_text_has_a_policy_or_none(address: str) -> None:
    """No recipient, however it is spelt, raises; and its own normal form is the same mailbox."""
    policies = _policies("user@example.org", "example.org", ".test", "root@")
    found = policies.of(address)
    local, domain = parted(address)
    if '"' not in local and "@" not in local and ":" not in local:
        assert policies.of(f"{local}@{domain}" if domain else local) is found


def test_a_domain_of_many_dots_costs_no_more_than_its_length() -> None:
    """What is longer than any name is not looked up part by part."""
    assert len(list(_policies("a.test")._keys("user@" + "a." * 50_000))) < 5  # the loop itself
