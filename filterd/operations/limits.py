"""What has been drawn from rate limits, and giving it back."""

from collections.abc import Sequence
from dataclasses import dataclass

from filterd.config.rates import RateBy
from filterd.domains import normalise_address
from filterd.limits import Rate
from filterd.store.buckets import SECOND, Buckets


@dataclass(frozen=True, slots=True)
class Standing:
    """One subject of one rate. `left` of `burst` recipients may come at once, all of them again in `full_in` seconds.

    `wait` is how many seconds are to go before the next one may; of a rate that the configuration has no more only the
    name is known, and `by` is empty.
    """

    rate: str
    by: str
    subject: str
    left: int
    burst: int
    wait: int
    full_in: int
    dry_run: bool


def standings(buckets: Buckets, rates: Sequence[Rate], now: float, only: str = "") -> list[Standing]:
    """All that is not full, what is nearest to empty first; of one rate where it is named. StoreError."""
    known = {rate.name: rate for rate in rates}
    at = round(now * SECOND)
    found = []
    for key, full_at in buckets.listed(at):
        name, _, subject = key.partition(":")
        if not only or name == only:
            found.append(_standing(known.get(name), name, subject, full_at, at))
    return sorted(found, key=lambda one: (-one.wait, one.left, -one.full_in, one.rate, one.subject))


def subject_of(rate: Rate, text: str) -> str:
    """What an operator types as the rate has it: an address for its network, letters' case as it is counted."""
    text = text.strip()
    if rate.by is RateBy.CLIENT:
        address = normalise_address(text)
        return rate.network_of(address) if address else text.lower()
    return text.lower()


def fill(buckets: Buckets, rate: str, subject: str) -> bool:
    """Give one subject everything back; whether anything had been drawn. StoreError."""
    key = f"{rate}:{subject}"
    drawn = buckets.full_at(key) > 0
    buckets.fill(key)
    return drawn


def fill_all(buckets: Buckets, rate: str) -> int:
    """Give all subjects of a rate everything back; how many. StoreError."""
    return buckets.fill_all(f"{rate}:")


def _standing(rate: Rate | None, name: str, subject: str, full_at: int, now: int) -> Standing:
    full_in = -(-(full_at - now) // SECOND)
    if rate is None:
        return Standing(name, "", subject, 0, 0, 0, full_in, dry_run=False)
    bucket = rate.bucket(subject)
    wait = max(min(full_at, now + bucket.span) + bucket.interval - bucket.span - now, 0)
    left = bucket.left(full_at, now)
    return Standing(name, rate.by, subject, left, bucket.capacity, -(-wait // SECOND), full_in, rate.dry_run)
