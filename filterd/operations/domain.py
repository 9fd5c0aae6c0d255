"""`filterd domain`: a domain as other mail servers see it, and what its postmaster should do.

checkdmarc reads the records and knows what is wrong with them; filterd's own evaluators say what the daemon would make
of them, and where the two differ that is told, too. DNS is asked through the configured name servers alone; beside DNS
only the policy of MTA-STS is fetched, where that is wanted. The time for all is bounded, and shared by the parts.
"""

import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from filterd.dns.nameserver import Nameserver
from filterd.operations.domain_dns import NameServers, forget
from filterd.operations.domain_fetch import PolicyFetcher
from filterd.operations.domain_own import AskWithin, Own
from filterd.operations.domain_receiver import examine_dnssec, examine_mta_sts, examine_mx, examine_tls_rpt
from filterd.operations.domain_sender import examine_bimi, examine_dmarc, examine_spf
from filterd.operations.domain_tools import Tools
from filterd.operations.domain_values import Findings, Part, Posture

# In the order in which they are shown.
PARTS: Final[Mapping[str, Callable[[str, Tools], Findings]]] = {
    "mx": examine_mx,
    "spf": examine_spf,
    "dmarc": examine_dmarc,
    "mta-sts": examine_mta_sts,
    "tls-rpt": examine_tls_rpt,
    "bimi": examine_bimi,
    "dnssec": examine_dnssec,
}
# In the order in which they are examined: the hosts of mx ask most, and are held against the policy of mta-sts.
_ORDER: Final = ("spf", "dmarc", "mta-sts", "tls-rpt", "bimi", "dnssec", "mx")
MAX_CRASH: Final = 200  # characters of an exception that are shown


class Examiner:
    """Examines domains, one after the other; not for several threads, as checkdmarc's caches are everybody's."""

    def __init__(
        self,
        servers: Sequence[Nameserver],
        ask: AskWithin,
        *,
        seconds: float,
        question: tuple[float, float],
        fetch: PolicyFetcher | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` for one domain, `question` for one lookup and one packet of it; `ask` asks the same servers."""
        logging.getLogger("checkdmarc").addHandler(logging.NullHandler())  # what it says there it says in its results
        self._names = tuple(map(str, servers))
        self._trusted = all(server.loopback for server in servers)
        self._ask = ask
        self._seconds = seconds
        self._fetch = fetch
        self._clock = clock
        self._servers = NameServers(servers, seconds=question[0], try_seconds=question[1], clock=clock)

    def examine(self, domain: str) -> Posture:
        """All parts of a posture; `domain` as domains.normalise gives it. Whatever is published, it ends well."""
        forget()
        end = self._clock() + self._seconds
        found: dict[str, Part] = {}
        for place, name in enumerate(_ORDER):
            # What a part leaves of its share the later ones have.
            share = max(0.0, end - self._clock()) / (len(_ORDER) - place)
            found[name] = self._part(name, domain, found, share)
        return Posture(domain, self._names, tuple([found[name] for name in PARTS]))

    def _part(self, name: str, domain: str, earlier: Mapping[str, Part], seconds: float) -> Part:
        deadline = self._clock() + seconds
        self._servers.begin(seconds)
        tools = Tools(
            servers=self._servers,
            resolver=self._servers.resolver(),
            own=Own(self._ask, deadline, self._clock),
            fetch=self._fetch,
            trusted=self._trusted,
            left=lambda: deadline - self._clock(),
            earlier=earlier,
        )
        try:
            findings = PARTS[name](domain, tools)
        except Exception as error:  # noqa: BLE001  # records are hostile, and a library's mistake is no end of the others
            findings = Findings(absent=True, unchecked=[f"our or checkdmarc's mistake: {error!r}"[:MAX_CRASH]])
        return findings.part(name, self._servers.failed)


def policy_fetcher(ask: AskWithin) -> PolicyFetcher:
    """What fetches policies with the system's certificates."""
    return PolicyFetcher(ask, ssl.create_default_context())
