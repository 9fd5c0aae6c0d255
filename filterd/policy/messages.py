"""The messages that a connection has asked about: each is judged once, however many recipients it has."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from filterd.domains import normalise_address
from filterd.model.session import Client
from filterd.pipeline.early import EarlyCase
from filterd.pipeline.transaction import Transaction
from filterd.policy.codec import Request

_PORT_DIGITS: Final = 5
MOST: Final = 16  # messages of one connection; an smtpd process has one at a time, a proxy in between a few


@dataclass(frozen=True, slots=True)
class Asking:
    """Who sends what to whom, as one request says. Two requests of one message differ in nothing but the recipient."""

    instance: str
    client: Client
    helo: str
    sender: str
    login: str
    method: str

    @classmethod
    def of(cls, request: Request) -> "Asking":
        """As far as the MTA knows it by then."""
        name, port = request.get("client_name"), request.get("client_port")
        number = int(port) if port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS else 0
        verified = "" if name == "unknown" or name[:1] == "[" else name.lower().rstrip(".")
        return cls(
            request.get("instance"),
            Client(normalise_address(request.get("client_address")), number, verified),
            request.get("helo_name"),
            request.get("sender"),
            request.get("sasl_username"),
            request.get("sasl_method"),
        )


@dataclass(slots=True)
class Judged:
    """One message: what is known of it, how many of its recipients were asked about, whether any must be spared."""

    asking: Asking
    case: EarlyCase
    asked: int = 0
    spared: bool = False


class Messages:
    """Those of one connection by their `instance`, the least recently asked about falling out."""

    def __init__(self) -> None:
        """None yet."""
        self._judged: OrderedDict[str, Judged] = OrderedDict()
        self._ahead: Transaction | None = None

    def find(self, asking: Asking) -> Judged | None:
        """The message of this request, None where it is new: `instance` alone is not believed."""
        found = self._judged.get(asking.instance) if asking.instance else None
        if found is None or found.asking != asking:
            return None
        self._judged.move_to_end(asking.instance)
        return found

    def keep(self, judged: Judged) -> None:
        """Remember one; without an instance there is nothing to know it by again."""
        if not judged.asking.instance:
            return
        self._judged[judged.asking.instance] = judged
        self._judged.move_to_end(judged.asking.instance)
        while len(self._judged) > MOST:
            self._judged.popitem(last=False)

    def look_ahead(self, transaction: Transaction | None) -> None:
        """Let the lookups of this one go on while the client talks; those of the one before are of no more use."""
        before, self._ahead = self._ahead, transaction
        if before is not None:
            before.close()
