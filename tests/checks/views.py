"""A transaction as checks see it, made by hand; and helpers that run a check against a fake resolver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from filterd.checks.contract import Check
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.model.inspection import Inspection
from filterd.model.message import HeaderField
from filterd.model.report import CheckReport, Stage
from filterd.model.scanning import Scanned
from filterd.model.session import Client, Envelope, TrustClass

ADDRESS = "192.0.2.1"
CLIENT = Client(ADDRESS)
ENVELOPE = Envelope("anna@sender.example")


@dataclass(frozen=True)
class FakeView:
    """What is not given is what an ordinary transaction has before its content is read."""

    id: str = "01J0000000000000000000000A"
    now: float = 1_700_000_000.0
    client: Client = CLIENT
    helo: str = "mx.sender.example"
    trust: TrustClass = TrustClass.STRANGER
    envelope: Envelope = ENVELOPE
    fields: Sequence[HeaderField] = ()
    inspection: Inspection | None = None
    scanned: Mapping[str, Scanned] = field(default_factory=dict)
    reports: Mapping[str, CheckReport] = field(default_factory=dict)

    def values(self, name: bytes) -> Sequence[bytes]:
        """As the transaction does it."""
        return [value for key, value in self.fields if key.strip().lower() == name]


def run(check: Check, view: FakeView, resolver: FakeResolver | None = None) -> CheckReport:
    """The check's report; its name is its own."""
    report = complete(check.run(view), (resolver or FakeResolver()).lookup)
    assert report.check == check.name
    assert {finding.symbol for finding in report.findings} <= check.symbols
    return report


def foreseen(check: Check, view: FakeView, stage: Stage) -> list[str]:
    """The names that the check has asked ahead at a stage, in order."""
    plan = check.foresee(view, stage)
    if plan is None:
        return []
    resolver = FakeResolver()
    complete(plan, resolver.lookup)
    return [question.name for question in resolver.asked]


def symbols(report: CheckReport) -> list[str]:
    """The symbols of a report in order."""
    return [finding.symbol for finding in report.findings]
