"""One connection from the MTA: its messages, one after the other."""

import socket
from typing import Any, Final

import milter

from filterd.domains import normalise_address
from filterd.milter.apply import carry_out
from filterd.milter.early import judged
from filterd.milter.guard import CONTINUE, TEMPFAIL, caught, guarded
from filterd.milter.sessions import Sessions
from filterd.model.session import Client
from filterd.pipeline.finish import finish
from filterd.pipeline.parts import Parts
from filterd.pipeline.policies import is_plain
from filterd.pipeline.transaction import Peer, Transaction

ACTIONS: Final[int] = milter.ADDHDRS | milter.CHGHDRS | milter.DELRCPT | milter.QUARANTINE | milter.SETSYMLIST
QUIET: Final[int] = milter.P_NR_HDR | milter.P_NR_EOH | milter.P_NR_BODY
STEPS: Final[int] = QUIET | milter.P_HDR_LEADSPC | milter.P_NODATA | milter.P_NOUNKNOWN
MACROS: Final = {  # the MTA sends five at most for each stage
    milter.M_CONNECT: ("j", "{daemon_name}", "{client_addr}", "v"),
    milter.M_ENVFROM: ("i", "{auth_type}", "{auth_authen}", "{mail_addr}", "{tls_version}"),
    milter.M_ENVRCPT: ("i", "{rcpt_addr}"),
    milter.M_EOM: ("i",),
}


class Session:
    """pymilter's private object of a connection. Methods are called in the order of the SMTP dialogue."""

    def __init__(self, context: Any, parts: Parts, sessions: Sessions) -> None:
        """Begin with what the context can do; negotiation may follow or not (old MTAs)."""
        self._context = context
        self._parts = parts
        self._sessions = sessions
        self._steps = 0
        self._leading_space = False
        self._after_header = CONTINUE
        self._peer = Peer(Client())
        self._macros: dict[str, str] = {}
        self._transaction: Transaction | None = None
        self._begun = False  # MAIL was said: the transaction is this message's, no longer the one of CONNECT
        self._broken = ""
        self._judged = 0  # recipients of the message at hand that were asked about
        sessions.enter()

    def failed(self, callback: str) -> None:
        """Defer the message at hand: one of its callbacks crashed."""
        self._broken = callback
        self._parts.counters.callback_crashed()
        self._drop()

    def negotiate(self, offered: list[int]) -> int:
        """Take of the MTA's offer what we use; macros by stage, so that they come with any MTA."""
        try:
            if offered[0] & milter.SETSYMLIST:
                for stage, names in MACROS.items():
                    self._context.setsymlist(stage, " ".join(names))
            actions = ACTIONS if self._parts.mta_hold else ACTIONS & ~milter.QUARANTINE
            offered[:] = [offered[0] & actions, offered[1] & STEPS, 0, 0]
            self._steps = offered[1]
            self._leading_space = bool(self._steps & milter.P_HDR_LEADSPC)
            self._after_header = int(milter.NOREPLY) if self._steps & milter.P_NR_HDR else CONTINUE
        except BaseException:  # noqa: BLE001  # the named border towards libmilter: go on with all options
            self.failed("negotiate")
            return int(milter.ALL_OPTS)
        return CONTINUE

    @guarded(CONTINUE)
    def connect(self, name: str, family: int, address: Any) -> int:
        """Take the client; lookups for it start here, while it still waits for the greeting."""
        if family in {socket.AF_INET, socket.AF_INET6} and address:
            host = normalise_address(address[0].removeprefix("IPv6:"))
            reverse = "" if name.startswith("[") or name == "unknown" else name.lower().rstrip(".")
            self._peer = Peer(Client(host, address[1], reverse))
        self._collect(milter.M_CONNECT)
        self._transaction = Transaction(self._parts, self._peer)
        return CONTINUE

    @guarded(CONTINUE)
    def hello(self, name: str) -> int:
        """Take the name; a second EHLO (after STARTTLS or XCLIENT) replaces the first."""
        self._peer = Peer(self._peer.client, name)
        if self._transaction is not None:
            self._transaction.hello(name)
        return CONTINUE

    @guarded(TEMPFAIL)
    def envelope_from(self, sender: bytes, *parameters: bytes) -> int:
        """Begin a message."""
        self._broken = ""
        transaction = self._begin()
        self._collect(milter.M_ENVFROM)
        transaction.mail(_address(sender), tuple(_text(one) for one in parameters), self._macros)
        return CONTINUE

    @guarded(TEMPFAIL)
    def envelope_recipient(self, recipient: bytes, *_parameters: bytes) -> int:
        """Take one more recipient of the message."""
        transaction = self._transaction
        if transaction is None:
            return CONTINUE
        address = _address(recipient)
        told = judged(self._context, self._parts, transaction, address, self._judged)
        self._judged += 1
        if told == CONTINUE:  # else it is no recipient of the message
            exact = _text(recipient)
            transaction.rcpt(address, exact, self._resolved(exact))
        return told

    def header(self, name: str, value: bytes) -> int:
        """Take a field. Never waits, never answers where the MTA agreed to that. Flat: a message has dozens of them."""
        try:
            transaction = self._transaction
            if transaction is not None:
                if not self._leading_space:
                    value = b" " + value
                if b"\n" in value:
                    value = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                transaction.header(name.encode("utf-8", "surrogateescape"), value)
        except BaseException:  # noqa: BLE001  # the named border towards libmilter, as in guard
            caught(self, "header")
        return self._after_header

    def end_of_headers(self) -> int:
        """Start what the header tells."""
        self._end_of_headers()
        return int(milter.NOREPLY) if self._steps & milter.P_NR_EOH else CONTINUE

    def body(self, chunk: bytes) -> int:
        """Take a piece of the body."""
        self._body(chunk)
        return int(milter.NOREPLY) if self._steps & milter.P_NR_BODY else CONTINUE

    @guarded(TEMPFAIL)
    def end_of_message(self) -> int:
        """Answer for the message: the one callback that waits."""
        transaction = self._transaction
        if transaction is None or self._broken:
            self._drop()
            return TEMPFAIL
        self._collect(milter.M_EOM)
        transaction.macros.update(self._macros)
        try:
            decision = finish(transaction)
            return carry_out(self._context, decision, leading_space=self._leading_space)
        finally:
            self._drop()

    @guarded(CONTINUE)
    def abort(self) -> int:
        """Forget the message (RSET, or the MTA's own end); the connection goes on."""
        self._drop()
        self._broken = ""
        return CONTINUE

    @guarded(CONTINUE)
    def close(self) -> int:
        """End the connection."""
        self._sessions.leave()
        self._drop()
        return CONTINUE

    @guarded(CONTINUE)
    def _end_of_headers(self) -> int:
        if self._transaction is not None:
            self._transaction.end_of_headers()
        return CONTINUE

    @guarded(CONTINUE)
    def _body(self, chunk: bytes) -> int:
        if self._transaction is not None:
            self._transaction.chunk(chunk)
        return CONTINUE

    def _begin(self) -> Transaction:
        if self._transaction is None or self._begun:
            self._drop()
            self._transaction = Transaction(self._parts, self._peer)
            if self._peer.helo:
                self._transaction.hello(self._peer.helo)
        self._begun = True
        self._judged = 0
        return self._transaction

    def _resolved(self, exact: str) -> str:
        """What the MTA takes a recipient for that is spelt oddly, where it matters whose mail it is."""
        if self._parts.policies is None or is_plain(exact):
            return ""
        try:
            return self._context.getsymval("{rcpt_addr}") or ""
        except UnicodeDecodeError:
            return ""

    def _drop(self) -> None:
        self._begun = False
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.close()

    def _collect(self, stage: int) -> None:
        for name in MACROS[stage]:
            try:
                value = self._context.getsymval(name)
            except UnicodeDecodeError:  # a macro in some other charset is as good as absent
                value = None
            if value:
                self._macros[name] = value
            else:
                self._macros.pop(name, None)


def _address(raw: bytes) -> str:
    text = _text(raw).strip()
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
