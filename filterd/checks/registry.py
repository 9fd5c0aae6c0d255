"""All checks. A new one is a line here, its module, its scores and its test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from filterd.checks.allow import AllowCheck, nothing_listed
from filterd.checks.arc import ArcCheck
from filterd.checks.clamd import ClamdCheck
from filterd.checks.classifier import ClassifierCheck
from filterd.checks.content import ContentCheck
from filterd.checks.contract import Check
from filterd.checks.dkim import DkimCheck, Selectors
from filterd.checks.dkimbl import DkimblCheck
from filterd.checks.dmarc import DmarcCheck
from filterd.checks.dnsbl import DnsblCheck
from filterd.checks.icap import IcapCheck
from filterd.checks.indicators import IndicatorsCheck
from filterd.checks.iprev import IprevCheck
from filterd.checks.listing import Observe, Suspended, nothing_suspended, unobserved
from filterd.checks.mentions import MAX_HOSTS
from filterd.checks.regex import RegexCheck
from filterd.checks.replay import Counter, ReplayCheck, Uncounted
from filterd.checks.reputation import ReputationCheck
from filterd.checks.spf import SpfCheck
from filterd.checks.uribl import UriblCheck
from filterd.checks.yara import YaraCheck
from filterd.dmarc import OverridePolicy
from filterd.dnsbl.zones import Zone
from filterd.indicators import Indicators
from filterd.model.identity import Identity
from filterd.ownlists import Book
from filterd.reputation import Memory


@dataclass(frozen=True)
class Tools:
    """What checks are made with; one set for each front."""

    selectors: Selectors
    zones: tuple[Zone, ...] = ()
    suspended: Suspended = nothing_suspended
    observe: Observe = unobserved
    url_hosts: int = MAX_HOSTS
    arc_sealers: tuple[str, ...] = ()
    allow: tuple[Identity, ...] = ()
    overrides: OverridePolicy = field(default_factory=OverridePolicy)
    spf_explain: bool = False
    spf_upgrade: bool = False
    known_lists: bool = False
    replays: Counter = field(default_factory=Uncounted)
    memory: Memory | None = None
    indicators: Indicators = field(default_factory=Indicators)
    book: Callable[[], Book] = nothing_listed  # the entries of `filterd list`


Make: TypeAlias = Callable[[Tools], Check]

ALL: Final[dict[str, Make]] = {
    "iprev": lambda _: IprevCheck(),
    "dnsbl": lambda tools: DnsblCheck(tools.zones, tools.suspended, tools.observe),
    "spf": lambda tools: SpfCheck(explain=tools.spf_explain),
    "reputation": lambda tools: ReputationCheck(tools.memory),  # before dkim: at MAIL it reads the selectors along
    "dkim": lambda tools: DkimCheck(tools.selectors),
    "arc": lambda tools: ArcCheck(tools.arc_sealers),
    "dmarc": lambda tools: DmarcCheck(
        tools.overrides,
        spf_upgrade=tools.spf_upgrade,
        known=tools.memory.in_good_standing if tools.known_lists and tools.memory else None,
    ),
    "replay": lambda tools: ReplayCheck(tools.replays),
    "allow": lambda tools: AllowCheck(tools.allow, tools.book),
    "uribl": lambda tools: UriblCheck(tools.zones, tools.suspended, tools.observe, tools.url_hosts),
    "dkimbl": lambda tools: DkimblCheck(tools.zones, tools.suspended, tools.observe),
    "indicators": lambda tools: IndicatorsCheck(tools.indicators),
    "clamd": lambda _: ClamdCheck(),
    "icap": lambda _: IcapCheck(),
    "content": lambda _: ContentCheck(),
    "classifier": lambda _: ClassifierCheck(),
    "yara": lambda _: YaraCheck(),
    "regex": lambda _: RegexCheck(),
}


def make_all(tools: Tools) -> tuple[Check, ...]:
    """Every check, ready to run."""
    return tuple([make(tools) for make in ALL.values()])
