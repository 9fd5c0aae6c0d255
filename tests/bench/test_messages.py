"""The message set is what the figures rest on: the same each time, and right about itself."""

from statistics import mean, median

import dkim

from tests.bench.messages import Message, build, zone
from tests.support.dnsserver import Records, ZoneData

NOW = 1_790_000_000.0  # epoch seconds; any time will do


def record(records: ZoneData, name: str) -> str:
    """The one TXT record of a name."""
    found: Records = records[name]["TXT"]
    assert isinstance(found, str)
    return found


def signature(message: Message, records: ZoneData) -> str:
    """What dkimpy says about the message's signature."""
    if not message.raw.startswith(b"DKIM-Signature:"):
        return "none"
    good = dkim.verify(
        message.raw,
        dnsfunc=lambda name, timeout: record(records, name.decode().rstrip(".")).encode(),  # noqa: ARG005  # dkimpy's signature
    )
    return "pass" if good else "fail"


def test_same_seed_same_bytes() -> None:
    """Two builds with the same arguments are equal."""
    assert build(count=30, now=NOW) == build(count=30, now=NOW)


def test_signatures_are_as_declared() -> None:
    """For each signature dkimpy finds what the set says, with the keys of the set's zone."""
    messages, records = build(count=80, now=NOW), zone()
    assert [message.dkim for message in messages] == [signature(message, records) for message in messages]


def test_own_sites_share_no_name() -> None:
    """No name of one variant's zone occurs in another's or in the common one, beside the enclosing domains of none."""
    common, one, two = set(zone()), set(zone([1], 20)) - set(zone()), set(zone([2], 20)) - set(zone())
    assert not one & two
    assert not common & (one | two)


def test_sizes_are_those_of_mail() -> None:
    """Half of the messages are under 5 kB, every sixth carries the weight, the largest attachment is near 1 MB."""
    messages = build(now=NOW)
    sizes = [len(message.raw) for message in messages]
    assert 2_000 < median(sizes) < 5_000
    assert 40_000 < mean(sizes) < 70_000
    assert max(sizes) > 1_200_000
    assert sum(message.signed for message in messages) == len(messages) // 2
