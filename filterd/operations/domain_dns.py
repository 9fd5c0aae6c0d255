"""How checkdmarc asks DNS: the configured name servers and no others, within a time and a number of questions.

checkdmarc reports a lookup that failed as a record that is not there. So what failed is written down here, and whoever
reads its word looks here first.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
from checkdmarc import dnssec, utils
from dns.nameserver import Do53Nameserver, Nameserver

from filterd.dns.nameserver import Nameserver as Address

MAX_QUESTIONS: Final = 150  # for one part: a domain of ten MX hosts with two addresses each takes 110
TRIES: Final = 2  # for one question at all name servers: a packet may be lost
PAYLOAD: Final = 1_232  # bytes over UDP; larger answers come over TCP (DNS flag day 2020)
SILENCE: Final = 2  # questions in a row, from the first, after which nobody is waited for any more
OUT_OF_TIME: Final = "no time left"
TOO_MANY: Final = f"more than {MAX_QUESTIONS} questions"
NOBODY: Final = "no name server answers"

# Asked by checkdmarc, some servers refuse it, and nothing hangs on it: RFC 7208, section 3.1 has given the type up.
_IDLE: Final = frozenset({"SPF"})
_ANSWERS: Final = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})


class NameServers(Nameserver):
    """All configured name servers as one of dnspython's, with a time limit and a memory of what failed.

    `answered` has the types that were found, with their owners. `begin` starts a part anew.
    """

    def __init__(
        self,
        servers: Sequence[Address],
        *,
        seconds: float,
        try_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        make: Callable[[str, int], Nameserver] = Do53Nameserver,
    ) -> None:
        """`seconds` for one question in all, `try_seconds` for one packet; `make` gives what sends one."""
        super().__init__()  # type: ignore[no-untyped-call]  # dnspython has not written its type down
        self._names = " ".join(map(str, servers))
        self._servers = [make(server.host, server.port) for server in servers]
        self._seconds = seconds
        self._try_seconds = try_seconds
        self._clock = clock
        self._deadline = 0.0
        self._left = 0
        self._heard = False
        self._silent = 0
        self._failed: dict[tuple[str, str], str] = {}
        self.answered: set[tuple[str, str]] = set()

    def begin(self, seconds: float) -> None:
        """A part begins that may take this long."""
        self._deadline = self._clock() + seconds
        self._left = MAX_QUESTIONS
        self._failed = {}
        self.answered = set()

    @property
    def failed(self) -> dict[tuple[str, str], str]:
        """The causes of what could not be found out since the part began, by name and type."""
        return dict(self._failed)

    def query(  # dnspython's signature
        self,
        request: dns.message.QueryMessage,
        timeout: float,  # noqa: ARG002  # ours counts: dnspython's is for one server of several
        source: str | None,
        source_port: int,
        max_size: bool,  # noqa: FBT001  # dnspython's signature
        one_rr_per_rrset: bool = False,  # noqa: FBT001, FBT002  # the same
        ignore_trailing: bool = False,  # noqa: ARG002, FBT001, FBT002  # the same
    ) -> dns.message.Message:
        """The answer. OSError where there is none: dnspython then asks no more, what there is to try was tried here."""
        del source, source_port, one_rr_per_rrset
        asked = request.question[0]
        key = (asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype))
        response, cause = self._ask(request, over_tcp=max_size)
        if cause and key[1] not in _IDLE:
            self._failed[key] = cause
        else:
            self._failed.pop(key, None)
        if response is None:
            raise OSError(cause)
        for rrset in response.answer:
            owner = rrset.name.to_text(omit_final_dot=True).lower()
            self.answered.add((owner, dns.rdatatype.to_text(rrset.rdtype)))
        return response

    def _ask(self, request: dns.message.QueryMessage, *, over_tcp: bool) -> tuple[dns.message.Message | None, str]:
        """An answer, and the cause where it is none or says that the server has none (RFC 9520)."""
        if self._left <= 0:
            return None, TOO_MANY
        if not self._heard and self._silent >= SILENCE:
            return None, NOBODY
        self._left -= 1
        end = min(self._deadline, self._clock() + self._seconds)
        refusal: dns.message.Message | None = None
        refused: list[Nameserver] = []
        cause = OUT_OF_TIME
        for server in self._servers * TRIES:
            left = end - self._clock()
            if server in refused:
                continue
            if left <= 0:
                break
            try:
                response = _exchange(server, request, min(left, self._try_seconds), over_tcp=over_tcp)
            except (dns.exception.DNSException, OSError, EOFError) as error:
                cause = "timeout" if isinstance(error, dns.exception.Timeout | TimeoutError) else "no answer"
                continue
            self._heard = True
            if response.rcode() in _ANSWERS:
                return response, ""
            refusal = response
            refused.append(server)
        if refusal is not None:
            return refusal, dns.rcode.to_text(refusal.rcode()).lower()
        if cause != OUT_OF_TIME:
            self._silent += 1
        return None, cause

    def resolver(self) -> dns.resolver.Resolver:
        """A resolver that asks here, and reads no file of the system's."""
        made = dns.resolver.Resolver(configure=False)
        made.nameservers = [self]
        made.timeout = made.lifetime = self._seconds + self._try_seconds  # ours is over before
        made.use_edns(0, 0, PAYLOAD)
        return made

    def __str__(self) -> str:
        """As configured."""
        return self._names

    def kind(self) -> str:
        """As dnspython calls plain DNS."""
        return "Do53"

    def is_always_max_size(self) -> bool:
        """False: UDP comes first."""
        return False

    def answer_nameserver(self) -> str:
        """For dnspython's answers."""
        return self._names

    def answer_port(self) -> int:
        """For dnspython's answers."""
        return 0


def _exchange(
    server: Nameserver, request: dns.message.QueryMessage, seconds: float, *, over_tcp: bool
) -> dns.message.Message:
    """One question to one server; RFC 7766: over TCP where the answer was cut."""
    try:
        return server.query(request, seconds, None, 0, over_tcp)
    except dns.message.Truncated:
        return server.query(request, seconds, None, 0, True)


def forget() -> None:
    """Empty checkdmarc's caches: they know neither time to live nor whom the answers came from."""
    for cache in (utils.DNS_CACHE, dnssec.DNSSEC_CACHE, dnssec.DNSKEY_CACHE, dnssec.TLSA_CACHE):
        cache.clear()
