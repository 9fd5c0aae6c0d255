"""Telling people what is held: one round each time a digest is due, each mail of it sent once.

Once, but for one case that SMTP leaves: who dies between the MTA's 250 and our commit sends that mail again, under the
same Message-ID. The rounds and mails are in the ledger (quarantine/digests.py).
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from filterd.operations.digest_mail import Letterhead, Mail, Period, compose
from filterd.operations.digest_sheets import Audience, Schedule, Sheet, sheets
from filterd.operations.release import LEASE, RETRIES, Deliver
from filterd.quarantine import Actor, Lease, Quarantine
from filterd.quarantine.digests import Round, Told
from filterd.quarantine.relay import Answer, Fate

GIVE_UP: Final = 12  # attempts at one mail: eight hours. What it would have said stands in the next one


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one mail: `state` is sending where it was put off; `text` is what the MTA said."""

    mail: Mail
    state: Told
    text: str


@dataclass(frozen=True, slots=True)
class Post:
    """Tells of one quarantine. `clock` gives epoch seconds."""

    quarantine: Quarantine
    deliver: Deliver
    audience: Audience
    letterhead: Letterhead
    schedule: Schedule
    clock: Callable[[], float] = time.time

    def preview(self) -> list[Mail]:
        """The mails that would be sent if a round ended now; nothing is written down. CustodyError."""
        now = self.clock()
        covered = self.quarantine.digests.next_round(int(now))
        return [] if covered is None else [self._compose(sheet, covered, now) for sheet in self._sheets(covered)]

    def due(self, who: Actor) -> Iterator[Sent]:
        """Send what is due and not sent yet. CustodyError."""
        now, digests = self.clock(), self.quarantine.digests
        until = self.schedule.last(now)
        newest = digests.newest()
        if newest is not None and newest.until >= until:
            waiting, due = digests.open(newest)
            if newest.done or (waiting and due > now):
                return
        yield from self._round(until, who)

    def now(self, who: Actor) -> Iterator[Sent]:
        """Send a digest of what was held since the last one, whenever the next one is due. CustodyError.

        Rounds are named by seconds. Where there was one in this second, or in one that a clock has yet to come to, this
        is the one behind it: whoever asks is told of what came in between.
        """
        newest = self.quarantine.digests.newest()
        until = int(self.clock())
        yield from self._round(max(until, newest.until + 1) if newest is not None and newest.done else until, who)

    def _round(self, until: int, who: Actor) -> Iterator[Sent]:
        digests, started = self.quarantine.digests, self.clock()
        covered = digests.begin(until)
        if covered is None or covered.done:
            return
        for sheet in self._sheets(covered):
            sent = self._send(sheet, covered)
            if sent is not None:
                yield sent
        digests.drop(covered, started)
        if not digests.open(covered)[0]:
            digests.finish(covered, who, self.clock())

    def _sheets(self, covered: Round) -> list[Sheet]:
        digests = self.quarantine.digests
        return sheets(digests.held(covered), digests.told(covered), self.audience)

    def _send(self, sheet: Sheet, covered: Round) -> Sent | None:
        """None where another node has sent it, or is at it."""
        now, digests = self.clock(), self.quarantine.digests
        lease = Lease(secrets.token_hex(8), now + LEASE)
        attempt = digests.take(covered, sheet.name, lease, now)
        if not attempt:
            return None
        mail = self._compose(sheet, covered, now)
        answer = self.deliver(self.letterhead.bounces, (sheet.address,), mail.raw)
        state = _state(answer, attempt)
        pause = RETRIES[min(attempt, len(RETRIES)) - 1]
        digests.end(covered, sheet.name, lease, state, self.clock() + pause if state is Told.SENDING else 0.0)
        return Sent(mail, state, answer.text)

    def _compose(self, sheet: Sheet, covered: Round, now: float) -> Mail:
        return compose(sheet, Period(min(one.received for one in sheet.entries), covered.until), self.letterhead, now)


def _state(answer: Answer, attempt: int) -> Told:
    if answer.fate is Fate.DELIVERED:
        return Told.SENT
    if answer.fate is Fate.REFUSED:
        return Told.FAILED
    return Told.GIVEN_UP if attempt >= GIVE_UP else Told.SENDING
