import hashlib
from base64 import b32decode

import pytest

from filterd.dnsbl.keys import STEPS, Key, parse_query

ADDRESS = "Anna.B+shop@example.com"


def key(steps: str) -> Key:
    """The key of a list that is asked in this way."""
    return parse_query("{" + steps + "}.{zone}")[0]


def sha1(text: str) -> str:
    """Its SHA-1."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("steps", "hashed"),
    [
        ("sha1", "Anna.B+shop@example.com"),
        ("lower|sha1", "anna.b+shop@example.com"),
        ("untag|sha1", "Anna.B@example.com"),
        ("lower|untag|gmail|sha1", "anna.b@example.com"),
    ],
)
def test_an_address_is_brought_into_the_form_that_the_list_hashes(steps: str, hashed: str) -> None:
    """Each list documents its own."""
    assert key(steps).of_address(ADDRESS) == sha1(hashed)


@pytest.mark.parametrize(
    "address", ["annab@gmail.com", "anna.b@gmail.com", "a.n.n.a.b@googlemail.com", "anna.b+x@googlemail.com"]
)
def test_spellings_of_one_gmail_mailbox_have_one_hash(address: str) -> None:
    """Dots and tags mean nothing there, and the domain has two names."""
    assert key("lower|untag|gmail|sha1").of_address(address) == sha1("annab@gmail.com")


@pytest.mark.parametrize("address", ["+tag@example.com", "....@gmail.com"])
def test_a_local_part_that_would_vanish_stays(address: str) -> None:
    """A hash of nothing before the @ names nobody."""
    assert key("untag|gmail|sha1").of_address(address) == sha1(address)


def test_the_test_vector_of_a_hash_is_met() -> None:
    """MD5 and SHA-1 of the empty-tag example, computed elsewhere (printf %s test@example.com | md5sum)."""
    assert key("md5").of_address("test@example.com") == "55502f40dc8b7c769880b10874abc9d0"
    assert key("sha1").of_address("test@example.com") == "567159d622ffbb50b11b0efd307be358624a26ee"


def test_a_long_digest_is_written_so_that_it_fits_labels() -> None:
    """SHA-256 in hexadecimal has 64 characters, a label 63 (RFC 1035, section 2.3.4)."""
    digest = hashlib.sha256(b"x").hexdigest()
    base32 = key("sha256|base32").of_digest(digest)
    assert b32decode(base32.upper() + "=" * (-len(base32) % 8)).hex() == digest
    assert key("sha256|halves").of_digest(digest) == f"{digest[:32]}.{digest[32:]}"
    assert max(map(len, base32.split("."))) == 52


def test_labels_between_hash_and_zone_are_told_apart() -> None:
    """Spamhaus puts the kind of hash there."""
    assert parse_query("{sha256|base32}._file.{zone}") == (Key((), "sha256", "base32"), "_file")
    assert parse_query("{asked}.{zone}") == (Key(), "")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "expected {asked}.{zone}"),
        ("{zone}", "expected {asked}.{zone}"),
        ("{asked}", "expected {asked}.{zone}"),
        ("{asked}{zone}", "expected {asked}.{zone}"),
        ("{zone}.{asked}", "expected {asked}.{zone}"),
        ("x.{asked}.{zone}", "expected {asked}.{zone}"),
        ("{asked}..{zone}", "expected {asked}.{zone}"),
        ("{asked}.a b.{zone}", "expected {asked}.{zone}"),
        ("{asked}.-a.{zone}", "expected {asked}.{zone}"),
        ("{asked|sha1}.{zone}", "expected steps from lower, untag, gmail, md5, sha1, sha256"),
        ("{sha2}.{zone}", "got 'sha2'"),
        ("{lower}.{zone}", "expected one of md5, sha1, sha256"),
        ("{md5|sha1}.{zone}", "expected one of md5, sha1, sha256"),
        ("{lower|lower|sha1}.{zone}", "every step once"),
        ("{sha1|lower}.{zone}", "expected lower, untag, gmail before sha1"),
        ("{hex|sha1}.{zone}", "expected lower, untag, gmail before sha1"),
        ("{sha1|hex|base32}.{zone}", "one of hex, base32, halves behind it"),
        ("{sha256}.{zone}", "sha256 in hex is longer than a label"),
        ("{|}.{zone}", "got ''"),
    ],
)
def test_what_cannot_be_meant_is_named(query: str, problem: str) -> None:
    """The key, what was expected, and what stands there."""
    with pytest.raises(ValueError, match=r"^query: ") as caught:
        parse_query(query)
    assert problem in str(caught.value)


def test_every_step_has_a_use() -> None:
    """Each is taken by some list of some kind."""
    assert {
        step
        for steps in ("lower|untag|gmail|sha1|hex", "md5", "sha256|base32", "sha256|halves")
        for step in steps.split("|")
    } == set(STEPS)


@pytest.mark.parametrize(
    "address", ["\ud800@example.com", "\ufffd@x.example", "ü@example.com", "@", "x", "", "+@", "a" * 9_999]
)
def test_any_text_has_a_hash(address: str) -> None:
    """No exception for what the sender wrote."""
    assert len(key("lower|untag|gmail|sha1").of_address(address)) == 40
