"""SPF beside pyspf, DMARC beside checkdmarc."""

from collections.abc import Callable
from typing import Any, Final
from unittest.mock import patch

import checkdmarc.dmarc
import spf

from filterd.dmarc import evaluate
from filterd.dmarc import record as records_of_policy
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.model.authentication import DkimResult, DkimStatus, DmarcStatus, SpfResult, SpfScope, SpfStatus
from filterd.model.inspection import Author, Mailbox
from filterd.spf import check_host
from filterd.spf import record as records
from tests.bench.auth_figures import Bench, best

SENDER: Final = "alice@d.test"
HELO: Final = "mx.d.test"
POLICY: Final = "v=DMARC1; p=quarantine; sp=reject; adkim=r; aspf=r; fo=1"


def _networks(first: int, count: int) -> str:
    return " ".join(f"ip4:{first}.{number * 7 % 250}.0.0/{16 + number % 9}" for number in range(count))


# As large senders publish: a redirect to a record of three includes, each with ten networks of both families.
ZONE: Final = {
    "d.test": ["v=spf1 redirect=_spf.d.test"],
    "_spf.d.test": ["v=spf1 include:_n1.d.test include:_n2.d.test include:_n3.d.test ~all"],
    **{
        f"_n{number}.d.test": [f"v=spf1 {_networks(number * 10, 8)} ip6:2001:db8:{number}::/48 ip6:2001:db9::/36 ~all"]
        for number in (1, 2, 3)
    },
}
PLAIN: Final = {
    "d.test": ["v=spf1 include:_n1.d.test include:_n2.d.test include:_n3.d.test ip4:192.0.2.0/24 -all"],
    **{name: texts for name, texts in ZONE.items() if name.startswith("_n")},
}


def senders(bench: Bench) -> None:
    """A record of three includes, by a host of its last network and by a stranger."""
    for zone, what in ((PLAIN, "three includes"), (ZONE, "redirect to three includes")):
        with patch.object(spf, "DNSLookup", _answers(zone)):
            for client, who in (("30.42.1.1", "a host of the third"), ("203.0.113.9", "a stranger")):
                _compare(bench, zone, client, f"SPF, {what}, {who}")


def _compare(bench: Bench, zone: dict[str, list[str]], client: str, what: str) -> None:
    resolver = FakeResolver(txt=zone)

    def ours() -> str:
        resolver.asked.clear()
        plan = check_host(client, "d.test", SENDER, HELO, scope=SpfScope.MAILFROM)
        return str(complete(plan, resolver.lookup).status)

    def anew() -> str:
        records._short.cache_clear()
        return ours()

    def theirs() -> str:
        return str(spf.query(i=client, s=SENDER, h=HELO).check()[0])

    if ours() != theirs():
        raise RuntimeError(f"{ours()} is not {theirs()}")
    cached, cold, other = best([ours, anew, theirs])
    bench.share(what, cached, other, 0.25)
    bench.share("  every record read anew", cold, other, None)


def _answers(zone: dict[str, list[str]]) -> Callable[..., list[Any]]:
    """The zone as pyspf wants it: made once, as a cache would have it."""
    made = {(name, "TXT"): [((name, "TXT"), (text.encode(),)) for text in texts] for name, texts in zone.items()}

    def lookup(name: str, rtype: str, *_: object) -> list[Any]:
        return made.get((name, rtype), [])

    return lookup


def policies(bench: Bench) -> None:
    """A whole evaluation (walk, record, alignment) beside checkdmarc's reading of the record alone."""
    author = Author((Mailbox("alice", "news.d.test"),))
    sender = [SpfResult(SpfStatus.PASS, "bounce.d.test", SpfScope.MAILFROM)]
    signed = [DkimResult(DkimStatus.PASS, "d.test", "s"), DkimResult(DkimStatus.PASS, "esp.test", "s")]
    resolver = FakeResolver(txt={"_dmarc.d.test": [POLICY]})

    def ours() -> DmarcStatus:
        resolver.asked.clear()
        return complete(evaluate(author, sender, signed), resolver.lookup).status

    def anew() -> DmarcStatus:
        records_of_policy.parse.cache_clear()
        return ours()

    if ours() is not DmarcStatus.PASS:
        raise RuntimeError(f"DMARC is {ours()}")
    cached, cold, other = best([ours, anew, lambda: checkdmarc.dmarc.parse_dmarc_record(POLICY, "d.test")])
    bench.share("DMARC evaluation; checkdmarc reads the record only", cached, other, None)
    bench.share("  the record read anew", cold, other, None)
