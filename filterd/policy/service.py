"""From a request to its answer: the milter's own transaction as far as RCPT, judged by the same function."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

import structlog

from filterd.model.early import GATE_SECONDS
from filterd.model.ids import new_id
from filterd.model.session import TrustClass
from filterd.model.verdict import Verdict
from filterd.pipeline.early import Early, Hearing, early_checks
from filterd.pipeline.early_records import note_recipient
from filterd.pipeline.parts import Parts
from filterd.pipeline.schedule import Schedule
from filterd.pipeline.transaction import Peer, Transaction
from filterd.policy.answers import Word, answer, encode
from filterd.policy.codec import KIND, Request
from filterd.policy.known import Known
from filterd.policy.messages import Asking, Judged, Messages
from filterd.policy.waiting import WaitingThreads
from filterd.telemetry.events import Event

STRESS_SECONDS: Final = 0.5  # for lookups where Postfix says stress=yes: it is short of processes, and each one waits
GATE_THREADS: Final = 8  # that wait for the store at the same time
MAX_AT_GATES: Final = 64  # recipients that wait for such a thread; more pass unasked
SLACK: Final = 0.05  # seconds beyond GATE_SECONDS before an answer is not waited for: threads take turns
BY: Final = "policy"
_DUNNO: Final = encode(Word.DUNNO)
_RANDOM_BYTES: Final = 10  # of an id
_RCPT: Final = "RCPT"
_EARLIER: Final = frozenset({"CONNECT", "EHLO", "HELO", "MAIL"})  # nobody can be spared before it is said who is meant
_UNNAMED: Final = _EARLIER - {"MAIL"}  # before the sender is known
_WHOLE: Final = frozenset({"DATA", "END-OF-MESSAGE"})  # about the message; the recipient stands there if it is one
_KNOWN: Final = _EARLIER | _WHOLE | {_RCPT}
_log = structlog.get_logger()

Done: TypeAlias = Callable[[bytes | None], None]
Said: TypeAlias = tuple[Judged, Verdict]  # the message, and what is said of it now


class PolicyCounters(Protocol):
    """Where requests are counted."""

    def policy_request(self, state: str) -> None:
        """Count a request by its protocol_state."""

    def policy_failed(self, kind: str) -> None:
        """Count a connection closed without an answer: protocol, timeout or crashed."""

    def policy_connection(self, change: int) -> None:
        """Count a connection that opened (+1) or closed (-1)."""


@dataclass(slots=True)
class _Work:
    """One request under way."""

    request: Request
    messages: Messages
    done: Done
    started: float
    asking: Asking
    transaction: Transaction | None = None
    judged: Judged | None = None
    hearing: Hearing | None = None
    identifier: str = ""  # of what is said
    timer: TimerHandle | None = None
    over: bool = False

    @property
    def stress(self) -> bool:
        return self.request.get("stress") == "yes"


class PolicyService:
    """Answers requests. `ask` belongs to the loop's thread; what waits for the store does so in threads of its own."""

    def __init__(
        self, parts: Parts, early: Early, counters: PolicyCounters, loop: AbstractEventLoop, seconds: float
    ) -> None:
        """`seconds` is how long lookups may take before it is answered without them."""
        checks = early_checks(parts.schedule.checks)
        self.counters = counters
        self._loop = loop
        self._parts = replace(parts, schedule=Schedule.of(checks))
        self._early = early
        self._seconds = seconds
        self._known = Known()
        self._threads: WaitingThreads[Said] | None = (
            WaitingThreads(loop, GATE_THREADS, MAX_AT_GATES) if early.blocking else None
        )

    def close(self) -> None:
        """Take no more requests."""
        if self._threads is not None:
            self._threads.close()

    def ask(self, request: Request, messages: Messages, done: Done) -> None:
        """Have `done` called with the answer, at once where nothing is to be waited for; with None where we crashed."""
        state = request.get("protocol_state")
        self.counters.policy_request(state)
        # What we cannot make sense of is left to the restrictions behind us, as is what says two things at once.
        if request.get("request") != KIND or request.doubled or state not in _KNOWN or self._early.idle:
            done(_DUNNO)
            return
        work = _Work(request, messages, done, self._parts.monotonic(), Asking.of(request))
        self._step(work, self._begin)

    def _step(self, work: _Work, step: Callable[[_Work], None]) -> None:
        """The border that no exception crosses: for our bug there is no answer."""
        try:
            step(work)
        except Exception:  # noqa: BLE001  # the named border: Postfix asks again, then tells its client 451
            self.counters.policy_failed("crashed")
            _log.exception(Event.CALLBACK_CRASHED, callback="policy")
            self._end(work, None)

    def _begin(self, work: _Work) -> None:
        state = work.request.get("protocol_state")
        if not work.asking.client.address:
            self._end(work, _DUNNO)
        elif state in _EARLIER:
            work.messages.look_ahead(self._look_up(work, named=state not in _UNNAMED))
            self._end(work, _DUNNO)
        else:
            work.judged = work.messages.find(work.asking) or self._recalled(work.asking)
            if work.judged is None:
                self._wait(work)
            else:
                self._judge(work)

    def _recalled(self, asking: Asking) -> Judged | None:
        """A new message like one that was judged a moment ago, None where everything is to be looked up."""
        parts = self._parts
        case = self._known.find(asking, parts.lookups, parts.monotonic())
        if case is None:
            return None
        now = parts.clock()
        identifier = new_id(now, parts.randomness(_RANDOM_BYTES))
        return Judged(asking, case.again(identifier, now, asking.client, asking.sender))

    def _look_up(self, work: _Work, *, named: bool) -> Transaction:
        """Start the early checks, those that need the sender too where it is known."""
        asking = work.asking
        transaction = Transaction(self._parts, Peer(asking.client, asking.helo))
        if named:
            macros = {"{auth_authen}": asking.login, "{auth_type}": asking.method}
            transaction.mail(asking.sender, (), {name: value for name, value in macros.items() if value})
        return transaction

    def _wait(self, work: _Work) -> None:
        """Judge once all checks are done or the time for them is over."""
        work.transaction = self._look_up(work, named=True)
        if work.transaction.trust is TrustClass.RELAY:  # for whom it speaks stands in the header: nothing is looked up
            self._judge(work)
            return
        seconds = min(self._seconds, STRESS_SECONDS) if work.stress else self._seconds
        work.timer = self._loop.call_later(seconds, self._step, work, self._looked_up)
        work.transaction.runner.tell_when(self._early.awaited, lambda: self._step(work, self._looked_up))

    def _looked_up(self, work: _Work) -> None:
        if work.timer is not None:
            work.timer.cancel()
            work.timer = None
            self._judge(work)

    def _judge(self, work: _Work) -> None:
        """Here where nobody has to be waited for, as for most mail; a thread costs more than most judgements."""
        parts = self._parts
        work.identifier = new_id(parts.clock(), parts.randomness(_RANDOM_BYTES))
        verdict = self._at_once(work)
        if verdict is not None and work.judged is not None:
            self._say(work, (work.judged, verdict))
            return
        assert self._threads is not None  # noqa: S101  # only what is blocking has to wait

        def returned(found: Future[Said] | None) -> None:
            self._step(work, lambda _: self._returned(work, found))

        self._threads.run(lambda: self._said(work), GATE_SECONDS + SLACK, returned)

    def _returned(self, work: _Work, found: Future[Said] | None) -> None:
        if found is None or found.cancelled():
            self._early.counters.gate_failed("late")
            self._end(work, _DUNNO)
        else:
            self._say(work, found.result())

    def _at_once(self, work: _Work) -> Verdict | None:
        """What is said to this request, where that takes no waiting."""
        if work.judged is None:
            assert work.transaction is not None  # noqa: S101  # begun before anything is judged
            if not self._early.at_hand(work.transaction):
                return None
        judged = work.judged = self._message(work)
        if work.request.get("protocol_state") in _WHOLE:
            return self._whole(work, judged)
        work.hearing = self._hearing(work, judged)
        return self._early.at_once(work.hearing, work.identifier)

    def _said(self, work: _Work) -> Said:
        """The same in a thread that may wait."""
        judged = self._message(work)
        if work.request.get("protocol_state") in _WHOLE:
            return judged, self._whole(work, judged)
        return judged, self._early.judge_on(work.hearing or self._hearing(work, judged), work.identifier)

    def _message(self, work: _Work) -> Judged:
        if work.judged is not None:
            return work.judged
        assert work.transaction is not None  # noqa: S101  # begun before anything is judged
        return Judged(work.asking, self._early.case(work.transaction, work.asking.login))

    def _hearing(self, work: _Work, judged: Judged) -> Hearing:
        return Hearing.of(judged.case, work.request.get("recipient"), earlier=judged.asked, stress=work.stress)

    def _whole(self, work: _Work, judged: Judged) -> Verdict:
        recipient = work.request.get("recipient")
        return self._early.by_checks(judged.case, recipient, work.identifier, spared=judged.spared)

    def _say(self, work: _Work, found: Said) -> None:
        judged, verdict = found
        transaction = work.transaction
        if transaction is not None and self._early.awaited <= transaction.reports.keys():
            self._known.keep(work.asking, judged.case, transaction.lookups.answers, work.started)
        request, recipient = work.request, work.request.get("recipient")
        if request.get("protocol_state") == _RCPT:
            judged.asked += 1
            judged.spared |= self._early.spares(recipient)
        work.messages.keep(judged)
        seconds = self._parts.monotonic() - work.started
        queue_id = request.get("queue_id")
        note_recipient(
            self._parts, judged.case, recipient, verdict, work.identifier, by=BY, seconds=seconds, queue_id=queue_id
        )
        self._end(work, answer(verdict))

    def _end(self, work: _Work, reply: bytes | None) -> None:
        if work.over:
            return
        work.over = True
        if work.timer is not None:
            work.timer.cancel()
        if work.transaction is not None:
            work.transaction.close()
        work.done(reply)
