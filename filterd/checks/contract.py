"""What a check is and what it may see."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from filterd.model.dns import Plan
from filterd.model.inspection import Inspection
from filterd.model.message import HeaderField
from filterd.model.report import CheckReport, Stage
from filterd.model.scanning import Scanned
from filterd.model.session import Client, Envelope, TrustClass


class View(Protocol):
    """The transaction as a check may see it: read-only, and complete only up to the stage that was reached."""

    @property
    def id(self) -> str:
        """The message's own id, from connect on."""

    @property
    def now(self) -> float:
        """Epoch seconds at connect: the one clock of this message."""

    @property
    def client(self) -> Client:
        """The host that is judged."""

    @property
    def helo(self) -> str:
        """What the client called itself, from HELO on."""

    @property
    def trust(self) -> TrustClass:
        """How the client reached us."""

    @property
    def envelope(self) -> Envelope:
        """Sender from MAIL on, recipients from RCPT on."""

    @property
    def fields(self) -> Sequence[HeaderField]:
        """Raw header fields, from HEADERS on."""

    def values(self, name: bytes) -> Sequence[bytes]:
        """The raw values of all fields of that lower-case name in order, from HEADERS on."""

    @property
    def inspection(self) -> Inspection | None:
        """The inspector's facts at EOM; None where it died or overran."""

    @property
    def scanned(self) -> Mapping[str, Scanned]:
        """What scanners of other makes said, by the name of their check, at EOM; those that were asked."""

    @property
    def reports(self) -> Mapping[str, CheckReport]:
        """Reports of the checks that are done, by name; those in `needs` are always there."""


class Check(Protocol):
    """One check. Holds no per-message state; the same object serves all messages of a front."""

    @property
    def name(self) -> str:
        """As in configuration, log and --json."""

    @property
    def stage(self) -> Stage:
        """The earliest stage at which its inputs are known: it runs then, once what it needs is done."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of checks whose reports it reads."""

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol it may report."""

    @property
    def foresees(self) -> frozenset[Stage]:
        """The stages before its own at which it may have a guess."""

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """A plan that only warms the cache with what `run` will probably ask, or None where nothing can be guessed."""

    def run(self, view: View) -> Plan[CheckReport]:
        """A plan that returns this check's report. An exception becomes `crashed` at the runner's border."""
