"""[rates.NAME]: how many recipients somebody may send to in a time."""

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, model_validator

from filterd.config.fields import Section, key
from filterd.model.session import TrustClass

MAX_RATES: Final = 16  # each is a bucket to draw from for every recipient, and a label of a metric
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class RateBy(StrEnum):
    """Whose recipients are counted together."""

    CLIENT = "client"
    USER = "user"
    SENDER = "sender"
    RECIPIENT = "recipient"


def _named(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("expected a name of at most 32 small letters, digits and _")
    return value


RateName = Annotated[str, AfterValidator(_named)]


class Rate(Section):
    """A rate limit, as many tables as you like; who has used one up is told to come again. See docs/limits.md.

    Example: `[rates.outgoing]` with `by = "user"`, `limit = 200`, `per = 3600`, `burst = 50`.
    """

    by: RateBy = key(
        RateBy.CLIENT,
        "client: the client's network; user: who has authenticated; sender: the envelope sender, where SPF has not"
        " proved him together with the client's network; recipient: each of them.",
    )
    limit: int = key(
        0, "Recipients in the time that `per` says, on average; must be given.", "recipients", ge=0, le=10_000_000
    )
    per: int = key(3600, "That time.", "s", ge=1, le=31 * 86_400)
    burst: int = key(0, "How many of them may come at once; 0: `limit`.", "recipients", ge=0, le=10_000_000)
    dry_run: bool = key(False, "Count and log only, let everybody pass.")
    trust: tuple[TrustClass, ...] = key(
        (),
        "Trust classes it is for (authenticated, local, relay, stranger); empty: authenticated for `user`, stranger for"
        " the others. Behind a relay the client is not known yet when its recipients are: such mail has no `client`.",
    )
    ipv4_prefix: int = key(24, "Size of a client's network, for `client` and `sender`.", "bits", ge=8, le=32)
    ipv6_prefix: int = key(64, "The same for IPv6.", "bits", ge=16, le=128)

    @model_validator(mode="after")
    def _sensible(self) -> "Rate":
        if not self.limit:
            raise ValueError("expected limit = a number of recipients")
        if self.by is RateBy.USER and self.trust not in {(), (TrustClass.AUTHENTICATED,)}:
            raise ValueError("trust: expected authenticated or nothing where by is user: others have no user")
        return self

    @property
    def classes(self) -> frozenset[TrustClass]:
        """`trust`, with its default."""
        default = TrustClass.AUTHENTICATED if self.by is RateBy.USER else TrustClass.STRANGER
        return frozenset(self.trust or (default,))
