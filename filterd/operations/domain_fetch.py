"""Fetching an MTA-STS policy as a sending server does (RFC 8461, section 3.3).

The host's addresses come from the configured name servers; no proxy, no redirect, no other host is asked.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from filterd.domains import is_public
from filterd.model.dns import Question, RRType
from filterd.operations.domain_own import AskWithin

HTTPS: Final = 443
PATH: Final = "/.well-known/mta-sts.txt"
MAX_POLICY: Final = 64 << 10  # bytes; RFC 8461, section 3.3 names this size
MAX_ADDRESSES: Final = 4  # that are tried
CONNECT: Final = 5.0  # seconds for one of them
OK: Final = 200
LATE: Final = "it took too long"
_PLAIN: Final = "text/plain"


class FetchError(Exception):
    """No policy. `certain`: the host has answered, and not with one."""

    def __init__(self, text: str, *, certain: bool = False) -> None:
        """`text` says why."""
        super().__init__(text)
        self.certain = certain


@dataclass(frozen=True, slots=True)
class Fetched:
    """A policy's text, undecodable bytes replaced, and what was strange about how it came."""

    text: str
    strange: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyFetcher:
    """Fetches policies from public addresses alone: a domain may name any address, one within this network too."""

    ask: AskWithin
    context: ssl.SSLContext
    port: int = HTTPS
    public: Callable[[str], bool] = is_public
    clock: Callable[[], float] = time.monotonic

    def __call__(self, domain: str, seconds: float) -> Fetched:
        """The policy, within that time. FetchError."""
        end = self.clock() + seconds
        host = f"mta-sts.{domain}"
        connection = self._connect(host, self._addresses(host, seconds), end)
        # A host that sends a byte now and then keeps every timeout of a socket from running out: this one it cannot.
        over = threading.Timer(max(0.0, end - self.clock()), _hang_up, [connection])
        over.start()
        try:
            found = self._get(host, connection)
            if self.clock() >= end:  # what was cut off then looks like one that is whole
                raise FetchError(f"{host}: {LATE}")
            return found
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = self.clock() >= end
            raise FetchError(f"{host}: {LATE if late else _words(error)}") from None
        finally:
            over.cancel()
            connection.close()

    def _addresses(self, host: str, seconds: float) -> list[str]:
        answers = self.ask((Question(host, RRType.AAAA), Question(host, RRType.A)), seconds)
        found = [address for answer in answers for address in answer.records]
        public = [address for address in found if self.public(address)]
        if public:
            return public[:MAX_ADDRESSES]
        if found:
            raise FetchError(f"{host} has no public address, and others are not asked")
        failed = [answer for answer in answers if answer.failed]
        if failed:
            raise FetchError(f"{host}: no address: {failed[0].cause}")
        raise FetchError(f"{host} has no A or AAAA record", certain=True)

    def _connect(self, host: str, addresses: list[str], end: float) -> ssl.SSLSocket:
        """A connection whose certificate is the host's (RFC 8461, section 3.3; RFC 6125)."""
        cause = "no time left"
        for address in addresses:
            left = end - self.clock()
            if left <= 0:
                break
            try:
                raw = socket.create_connection((address, self.port), timeout=min(CONNECT, left))
            except OSError as error:
                cause = f"{address}: {_words(error)}"
                continue
            try:
                return self.context.wrap_socket(raw, server_hostname=host)
            except ssl.SSLCertVerificationError as error:
                raw.close()
                raise FetchError(f"{host}: its certificate: {error.verify_message}", certain=True) from None
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                raw.close()
                cause = f"{address}: {_words(error)}"
        raise FetchError(f"{host}: no connection: {cause}")

    @staticmethod
    def _get(host: str, connection: ssl.SSLSocket) -> Fetched:
        request = http.client.HTTPConnection(host)
        request.sock = connection
        request.request("GET", PATH, headers={"Accept": _PLAIN, "Connection": "close", "User-Agent": "filterd"})
        with request.getresponse() as response:
            # RFC 8461, section 3.3: a redirect must not be followed, and only 200 brings a policy.
            if response.status != OK:
                raise FetchError(f"https://{host}{PATH} answers {response.status}, expected 200", certain=True)
            data = response.read(MAX_POLICY + 1)
            media = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        if len(data) > MAX_POLICY:
            raise FetchError(f"the policy is larger than {MAX_POLICY} bytes", certain=True)
        strange = () if media == _PLAIN else (f"Content-Type is {media or 'not there'}, expected {_PLAIN}",)
        return Fetched(data.decode("utf-8", "replace"), strange)


def _hang_up(connection: ssl.SSLSocket) -> None:
    """End a connection under whoever reads from it."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    """In one line."""
    return " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
