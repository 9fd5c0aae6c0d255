"""Whether the client's reverse name leads back to its address (RFC 8601, section 2.7.3)."""

from typing import Final

from filterd.checks.contract import View
from filterd.domains import normalise_address, reverse_name
from filterd.model.authentication import IprevResult, IprevStatus
from filterd.model.dns import Plan, Question, RRType
from filterd.model.report import CheckReport, Finding, Outcome, Stage

MAX_NAMES: Final = 10  # reverse names tried; as for ptr in RFC 7208, section 4.6.4
NO_NAME: Final = "IPREV_NONE"
MISMATCH: Final = "IPREV_FAIL"
_SYMBOLS: Final = {IprevStatus.PERMERROR: NO_NAME, IprevStatus.FAIL: MISMATCH}
_MAX_EVIDENCE: Final = 200  # characters


class IprevCheck:
    """Reverse name, then its addresses: two round trips, all names at once."""

    name = "iprev"
    stage = Stage.CONNECT
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()
    symbols = frozenset(_SYMBOLS.values())

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing: it runs at the first stage there is."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Look the client up and back."""
        address = normalise_address(view.client.address)
        if not address:
            return CheckReport(self.name, Outcome.SKIPPED, cause="no client address")
        result, cause = yield from _evaluate(address)
        outcome = Outcome.UNKNOWN if result.status is IprevStatus.TEMPERROR else Outcome.OK
        symbol = _SYMBOLS.get(result.status)
        evidence = tuple([text[:_MAX_EVIDENCE] for text in (result.address, result.name) if text])
        findings = () if symbol is None else (Finding(symbol, evidence),)
        return CheckReport(self.name, outcome, findings, (result,), cause)


def _evaluate(address: str) -> Plan[tuple[IprevResult, str]]:
    """The result, and why it is temperror where it is."""
    (reverse,) = yield (Question(reverse_name(address), RRType.PTR),)
    if reverse.failed:
        return IprevResult(IprevStatus.TEMPERROR, address), f"reverse lookup: {reverse.cause}"
    names = tuple(dict.fromkeys(reverse.records[:MAX_NAMES]))
    if not names:
        # RFC 8601, section 2.7.3: without PTR data the evaluation cannot be completed, now or later.
        return IprevResult(IprevStatus.PERMERROR, address), ""
    rtype = RRType.AAAA if ":" in address else RRType.A
    answers = yield tuple([Question(name, rtype) for name in names])
    for name, answer in zip(names, answers, strict=True):
        if address in map(normalise_address, answer.records):
            return IprevResult(IprevStatus.PASS, address, name), ""
    failed = [answer for answer in answers if answer.failed]
    if failed:
        return IprevResult(IprevStatus.TEMPERROR, address, names[0]), f"forward lookup: {failed[0].cause}"
    return IprevResult(IprevStatus.FAIL, address, names[0]), ""
