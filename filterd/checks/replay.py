"""Signed messages that are sent again and again to people they do not name (DKIM replay).

Somebody gets one message signed by a good name and then delivers copies of it himself: every copy verifies. What gives
it away is that its recipients do not stand in its signed To or Cc, and their number. Mailing lists do the same in good
faith, so this is a finding with a weight and no more.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.model.authentication import DkimResult, DkimStatus, SignatureFacts
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.session import Recipient

REPLAYED: Final = "DKIM_REPLAYED"
THRESHOLD: Final = 100  # deliveries within a day; a message to a handful of blind copies stays far below
MAX_NAMED: Final = 65_536  # bytes of To and Cc that are searched: as many as a header of Postfix's limit may have
_KEY: Final = 32  # hexadecimal digits of the digest of a message's signed header


class Counter(Protocol):
    """Deliveries by message; see filterd.store.ReplayCounter."""

    def count(self, message: str, deliveries: int) -> int:
        """Add deliveries; how many are known by now, these included."""


def count_note(message: str) -> str:
    """Under which name evidence keeps how many deliveries of a message were known."""
    return f"replay:{message}"


class Uncounted:
    """Counts nothing."""

    def count(self, message: str, deliveries: int) -> int:  # noqa: ARG002  # the protocol's arguments
        """These alone."""
        return deliveries


class ReplayCheck:
    """Counts deliveries of a message whose signature verifies to recipients that its signed fields do not name."""

    name = "replay"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs = ("dkim",)
    symbols = frozenset([REPLAYED])

    def __init__(self, counter: Counter, threshold: int = THRESHOLD) -> None:
        """Report from `threshold` deliveries on."""
        self._counter = counter
        self._threshold = threshold

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing: it asks nothing."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Count and compare; a message without a signature that verifies is not counted."""
        yield from nothing()
        if view.inspection is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        facts = _verified(view.inspection.signatures, view.reports["dkim"].auth_results)
        if facts is None:
            return CheckReport(self.name, Outcome.OK)
        fields = [name for name in ("to", "cc") if name in facts.signed_fields]
        named = b",".join([value for name in fields for value in view.values(name.encode("ascii"))])
        strangers = _strangers(view.envelope.recipients, named[:MAX_NAMED].lower())
        if not strangers:
            return CheckReport(self.name, Outcome.OK)
        message = facts.header_digest.hex()[:_KEY]
        count = self._counter.count(message, strangers)
        read = ((count_note(message), str(count)),)
        if count < self._threshold:
            return CheckReport(self.name, Outcome.OK, read=read)
        evidence = (f"{facts.domain}: delivered {count} times to others than those it names",)
        return CheckReport(self.name, Outcome.OK, (Finding(REPLAYED, evidence),), read=read)


def _verified(signatures: Iterable[SignatureFacts], results: Iterable[object]) -> SignatureFacts | None:
    """The first signature that verifies."""
    passed = {
        (one.domain, one.selector, one.tag)
        for one in results
        if isinstance(one, DkimResult) and one.status is DkimStatus.PASS
    }
    return next((one for one in signatures if (one.domain, one.selector, one.tag) in passed), None)


def _strangers(recipients: Iterable[Recipient], named: bytes) -> int:
    """How many recipients do not stand in the text; one that is a part of a longer address there is not counted."""
    return sum(one.address.lower().encode("utf-8", "surrogateescape") not in named for one in recipients)
