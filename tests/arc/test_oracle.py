"""Chains sealed by dkimpy, whole and damaged, judged as dkimpy judges them.

Left out is what dkimpy takes otherwise than the RFCs: fields in another order than they were added in (RFC 8617,
section 5.1.1 goes by instance), and signatures with zeros in front (RFC 8017, section 8.2.2).
"""

import random
import re
from collections.abc import Callable
from typing import Final

import dkim
import pytest

from filterd.arc import Unverified
from filterd.model.authentication import ArcStatus
from tests.arc.chains import MESSAGE, RECORDS, judge, seal

DOMAINS: Final = ("list.example", "forward.example", "relay.example", "stranger.example")
CHAINS: Final = {count: seal(MESSAGE, *DOMAINS[:count]) for count in range(5)}


def by_dkimpy(message: bytes) -> ArcStatus:
    """Its verdict; None is a chain that was closed, and an exception a chain that it cannot read."""

    def key(name: bytes, **_: object) -> bytes | None:
        records = RECORDS.get(name.decode().rstrip("."))
        return records[0].encode() if records else None

    try:
        found = dkim.arc_verify(message, dnsfunc=key)[0]
    except IndexError:
        return ArcStatus.FAIL
    return ArcStatus(found.decode()) if found else ArcStatus.FAIL


def fields_of(message: bytes) -> tuple[list[bytes], bytes]:
    """Header fields, each with its folds and CRLF, and the rest."""
    header, _, body = message.partition(b"\r\n\r\n")
    return re.findall(rb"[^ \t].*?\r\n(?![ \t])", header + b"\r\n", re.DOTALL), b"\r\n" + body


def on_field(change: Callable[[list[bytes], int], None]) -> Callable[[bytes, random.Random], bytes]:
    """A change of one field of the chain."""

    def changed(message: bytes, rng: random.Random) -> bytes:
        fields, rest = fields_of(message)
        places = [place for place, field in enumerate(fields) if field.startswith(b"ARC-")]
        if places:
            change(fields, rng.choice(places))
        return b"".join(fields) + rest

    return changed


def replaced(old: bytes, new: bytes) -> Callable[[bytes, random.Random], bytes]:
    """A change of one field's text."""

    def change(fields: list[bytes], place: int) -> None:
        fields[place] = fields[place].replace(old, new, 1)

    return on_field(change)


CHANGES: Final[dict[str, Callable[[bytes, random.Random], bytes]]] = {
    "body": lambda message, _: message + b"more\r\n",
    "empty lines": lambda message, _: message + b"\r\n\r\n",
    "blanks": lambda message, _: message.replace(b"Hello", b"Hello  "),
    "subject": lambda message, _: message.replace(b"Subject: s", b"Subject: t"),
    "unsigned field": lambda message, _: b"X-New: 1\r\n" + message,
    "second subject": lambda message, _: b"Subject: s2\r\n" + message,
    "names in capitals": lambda message, _: message.replace(b"ARC-Seal", b"ARC-SEAL"),
    "missing": on_field(lambda fields, place: fields.__delitem__(place)),
    "twice": on_field(lambda fields, place: fields.insert(place, fields[place])),
    "instance of another": replaced(b"i=2;", b"i=1;"),
    "instance up": replaced(b"i=1;", b"i=2;"),
    "no instance": replaced(b"i=1;", b"x=1;"),
    "cv none": replaced(b"cv=pass", b"cv=none"),
    "cv pass": replaced(b"cv=none", b"cv=pass"),
    "cv fail": replaced(b"cv=pass", b"cv=fail"),
    "cv invalid": replaced(b"cv=none", b"cv=ok"),
    "results": replaced(b"dmarc=pass", b"dmarc=fail"),
    "folds": replaced(b"\r\n ", b"\r\n\t "),
    "signature": replaced(b"b=", b"b=QUJD"),
    "selector": replaced(b"s=s;", b"s=sel;"),
    "a seal over h=": replaced(b"cv=pass;", b"cv=pass; h=from;"),
    "algorithm": replaced(b"a=rsa-sha256", b"a=rsa-sha512"),
    "domain": replaced(b"d=list.example", b"d=forward.example"),
}


def ours(message: bytes) -> ArcStatus:
    """Our verdict."""
    found = judge(message)
    assert not isinstance(found, Unverified)
    return found.result.status


@pytest.mark.parametrize("count", CHAINS)
def test_whole_chains(count: int) -> None:
    """What dkimpy seals passes here and there; a message without a chain has none."""
    assert ours(CHAINS[count]) is by_dkimpy(CHAINS[count]) is (ArcStatus.PASS if count else ArcStatus.NONE)


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_change(count: int, name: str) -> None:
    """Some changes break the chain and some do not: the same ones."""
    for seed in range(3):
        message = CHANGES[name](CHAINS[count], random.Random(seed))
        assert ours(message) is by_dkimpy(message), message.decode()


@pytest.mark.threat("AUTH-15")
@pytest.mark.parametrize("seed", range(60))
def test_several_changes(seed: int) -> None:
    """Two or three at once."""
    rng = random.Random(seed)
    message = CHAINS[rng.randint(1, 4)]
    for name in rng.sample(sorted(CHANGES), rng.randint(2, 3)):
        message = CHANGES[name](message, rng)
    assert ours(message) is by_dkimpy(message), message.decode()
