"""One message from connect to verdict, whoever brings it: milter, policy service or a command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from filterd.model.ids import new_id
from filterd.model.inspection import Inspection
from filterd.model.message import HeaderField
from filterd.model.report import CheckReport, Stage
from filterd.model.scanning import Scanned
from filterd.model.session import Client, Envelope, Recipient, TrustClass
from filterd.pipeline.body import Body
from filterd.pipeline.parts import Parts
from filterd.pipeline.received import client_behind
from filterd.pipeline.runner import Runner

_RANDOM_BYTES = 10  # of an id
# Header fields kept apart: one more than an inspector reads (then the message is held as unscannable), since each costs
# 160 bytes here however short it is. What comes after stands at the end of the last one's value, as it was on the wire.
MAX_FIELDS = 1_001


@dataclass(frozen=True, slots=True)
class Peer:
    """Who connected to the MTA and what it called itself: outlives single messages of a session."""

    client: Client
    helo: str = ""


class Transaction:
    """Collects a message and runs its checks. Implements the checks' View.

    Behind a trusted relay the client is known only once the Received chain is: then everything starts at HEADERS.
    """

    def __init__(self, parts: Parts, peer: Peer) -> None:
        """Begin at connect; lookups that need only the peer start at once."""
        self.parts = parts
        self.now = parts.clock()
        self.id = new_id(self.now, parts.randomness(_RANDOM_BYTES))
        self.client = peer.client
        self.helo = peer.helo
        self.envelope = Envelope()
        self.trust = parts.trust.classify(peer.client.address, authenticated=False)
        self.macros: dict[str, str] = {}
        self.state: dict[str, str] = {}  # what was read from shared state, for the evidence
        self.inspection: Inspection | None = None
        self.scanned: Mapping[str, Scanned] = {}  # by scanners of other makes
        self.body: Body | None = None
        self.relay: Peer | None = None  # who brought it, where `client` is the host behind that one
        self.size = 0  # bytes of the whole message, known at its end
        self._fields: list[HeaderField] = []
        self._rest = bytearray()
        self._named: dict[bytes, list[bytes]] | None = None
        self.lookups = parts.lookups()
        runner = Runner(parts.schedule, self, self.lookups, parts.trust.skipped(self.trust))
        self._runner: Runner | None = runner
        self._reports = runner.reports
        self._reach(Stage.CONNECT)

    @property
    def fields(self) -> list[HeaderField]:
        """Header fields in the order received; beyond MAX_FIELDS in one piece."""
        if self._rest:
            name, value = self._fields.pop()
            self._fields.append((name, value + self._rest))
            self._rest.clear()
        return self._fields

    def values(self, name: bytes) -> Sequence[bytes]:
        """The raw values of all fields of that lower-case name, in order; for use when the header is complete."""
        if self._named is None:
            self._named = {}
            for key, value in self.fields:
                self._named.setdefault(key.strip().lower(), []).append(value)
        return self._named.get(name, ())

    @property
    def reports(self) -> Mapping[str, CheckReport]:
        """What the checks that are done have reported."""
        return self._reports

    @property
    def runner(self) -> Runner:
        """The checks at work. RuntimeError once the transaction is closed."""
        if self._runner is None:
            raise RuntimeError("the transaction is closed")
        return self._runner

    def hello(self, name: str) -> None:
        """Take the name given at HELO or EHLO."""
        self.helo = name
        self._reach(Stage.HELO)

    def mail(self, sender: str, parameters: tuple[str, ...], macros: Mapping[str, str]) -> None:
        """Take MAIL FROM (without brackets) and what the MTA knows by then; authentication decides the trust class."""
        self.envelope = Envelope(sender, (), parameters)
        self.macros.update(macros)
        if macros.get("{auth_type}") or macros.get("{auth_authen}"):
            self.trust = TrustClass.AUTHENTICATED
            self.runner.skip(self.parts.trust.skipped(self.trust))
        self._reach(Stage.MAIL)

    def rcpt(self, address: str, exact: str, resolved: str = "") -> None:
        """Take one more recipient, as `Recipient` has it."""
        recipient = Recipient(address, exact, resolved)
        self.envelope = replace(self.envelope, recipients=(*self.envelope.recipients, recipient))
        self._reach(Stage.RCPT)

    def header(self, name: bytes, value: bytes) -> None:
        """Take one header field, value as sent behind the colon, folds as CRLF."""
        if len(self._fields) < MAX_FIELDS:
            self._fields.append((name, value))
        else:
            self._rest += b"\r\n" + name + b":" + value

    def end_of_headers(self) -> None:
        """Everything in the header is known now; behind a relay the judged client too."""
        if self.trust is TrustClass.RELAY and (behind := client_behind(self.fields, self.parts.trust.is_relay)):
            self.relay = Peer(self.client, self.helo)
            self.client, self.helo = behind
            self.trust = self.parts.trust.classify(self.client.address, authenticated=False)
            self.runner.skip(self.parts.trust.skipped(self.trust))
            self.trust = TrustClass.RELAY
        self.runner.reach(Stage.HEADERS)

    def chunk(self, data: bytes) -> None:
        """Take the next piece of the body."""
        if self.body is None:
            self.body = Body()
        self.body.append(data)

    def close(self) -> None:
        """Forget the message: its verdict stands, or the client went away. Safe to call twice."""
        # Runner and transaction know each other: parted, the message goes at once and not with the next collection.
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
        if self.body is not None:
            self.body.close()

    def _reach(self, stage: Stage) -> None:
        if self.trust is not TrustClass.RELAY:
            self.runner.reach(stage)
