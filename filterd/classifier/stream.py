"""One model for several nodes: what is learnt and forgotten goes through a Redis stream, and each node follows it.

The order is the stream's: every node does the same to its own file, and so they come to the same model. How far a
node has come stands in its memory, written in the same transaction as the lessons, so that nothing is done twice or
left out when it is killed. A node that was away reads on where it was. One that finds a stream of another name (its
first one, or after Redis was emptied) puts there what it knows, and begins again with all that the stream has. One that
was away for more than the stream keeps goes on with what is left of it and says so: what it missed the others know.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Final

import msgspec

from filterd.classifier.features import FORMAT
from filterd.classifier.learning import Learner
from filterd.classifier.lesson import USER, Lesson, LessonError, spread, squeeze, usable
from filterd.classifier.memory import Became, Change
from filterd.store.events import EventStream

NAME: Final = f"classifier:{FORMAT}"  # of the stream: lessons of another format are of no use
BORN: Final = "born"  # fact of the memory: the stream's name
POSITION: Final = "position"  # fact of the memory: the number of the last event that is in it
COUNT: Final = 500  # events read at once
ATTEMPTS: Final = 20  # to write to a stream that others begin or empty meanwhile


class StreamMovedError(Exception):
    """The stream became another one again and again while something was to be written to it."""


class Event(msgspec.Struct, frozen=True):
    """A lesson as it travels; without features the message is to be forgotten."""

    digest: bytes
    spam: bool = False
    domain: str = ""
    source: str = USER
    at: float = 0.0
    features: bytes = b""


class _OvertakenError(Exception):
    """Another process of this node has come further meanwhile."""


class SharedLearner:
    """As Learner, for a model that several nodes share. StoreError where Redis does not answer: nothing is learnt."""

    def __init__(self, learner: Learner, stream: EventStream, most: int, new: Callable[[], str]) -> None:
        """`most` events are kept in the stream; `new` makes a name for one."""
        self.learner = learner
        self.missed = 0  # events that the stream had no more when this node came back
        self._stream = stream
        self._most = most
        self._new = new

    def learn(self, lessons: Sequence[Lesson]) -> list[Became]:
        """As Learner.learn, at every node."""
        return self._write([_written(lesson) for lesson in lessons])

    def forget(self, digests: Sequence[bytes]) -> list[Became]:
        """As Learner.forget, at every node."""
        return self._write([msgspec.msgpack.encode(Event(digest)) for digest in digests])

    def follow(self) -> dict[int, Became]:
        """Do what the others have done; what became of each event here, by its number."""
        done: dict[int, Became] = {}
        while True:
            with self.learner.memory.looking() as look:
                born, position = look.text(BORN), look.number(POSITION)
            found = self._stream.after(position, COUNT)
            if not found.born or found.born != born:
                if not self._join(found.born):
                    return done
                continue
            if not found.entries:
                return done
            if found.first > position + 1:
                self.missed += found.first - position - 1
            try:
                done |= self._apply(position, found.entries)
            except _OvertakenError:
                continue

    def close(self) -> None:
        """Close memory and connections."""
        self.learner.close()
        self._stream.close()

    def _write(self, events: Sequence[bytes]) -> list[Became]:
        for _ in range(ATTEMPTS):
            self.follow()
            with self.learner.memory.looking() as look:
                born = look.text(BORN)
            first = self._stream.append(born, self._new(), events, self._most)
            if first:
                break
        else:
            raise StreamMovedError("the shared lessons were replaced while these were to be added: try again")
        done = self.follow()
        # What another process of this node has done in the meantime it knows the outcome of, and we do not.
        return [done.get(first + place, Became.KNOWN) for place in range(len(events))]

    def _join(self, born: str) -> bool:
        """Begin with a stream that is not the one we knew: bring what we know. False where there is nothing to do."""
        with self.learner.memory.looking() as look:
            known = [_written(lesson) for lesson in look.all()]
        if not born and not known:
            return self._begin("")
        most = max(self._most, 2 * len(known))  # or we would forget what the stream had no room for
        for start in range(0, len(known), COUNT):
            batch = known[start : start + COUNT]
            new = self._new()
            if not self._stream.append(born, new, batch, most):
                return True  # it has changed again: look anew
            born = born or new
        return self._begin(born)

    def _begin(self, born: str) -> bool:
        """Forget what we know, which is in the stream now, and be at its beginning; False where there is no stream."""
        with self.learner.memory.changing() as change:
            if not born:
                change.put(BORN, "")
                change.put(POSITION, 0)
                return False
            change.clear()
            change.put(BORN, born)
            change.put(POSITION, 0)
        return True

    def _apply(self, position: int, entries: Sequence[tuple[int, bytes]]) -> dict[int, Became]:
        """Do these events, those of one kind together; each group with the position behind it."""
        done: dict[int, Became] = {}
        read = [(number, _read(data)) for number, data in entries]
        for forget, group in groupby(read, lambda one: isinstance(one[1], bytes)):
            events = list(group)
            last = events[-1][0]
            note = partial(_note, position, last)
            if forget:
                became = self.learner.forget([event for _, event in events if isinstance(event, bytes)], note)
            else:
                became = self.learner.learn([event for _, event in events if isinstance(event, Lesson)], note)
            done |= dict(zip([number for number, event in events if event is not None], became, strict=True))
            position = last
        return done


def _note(before: int, position: int, change: Change) -> None:
    """Write how far we are, where nobody has come further meanwhile. _OvertakenError undoes the whole change."""
    if change.number(POSITION) != before:
        raise _OvertakenError
    change.put(POSITION, position)


def _read(data: bytes) -> Lesson | bytes | None:
    """A lesson, the digest of what is to be forgotten, or nothing for what somebody else wrote there."""
    try:
        event = msgspec.msgpack.decode(data, type=Event)
        if not event.features:
            return event.digest
        features = spread(event.features)
    except (msgspec.DecodeError, UnicodeDecodeError, LessonError):
        return None
    if not usable(features):
        return None
    return Lesson(event.digest, event.spam, features, event.domain, event.source, event.at)


def _written(lesson: Lesson) -> bytes:
    features = squeeze(lesson.features)
    return msgspec.msgpack.encode(Event(lesson.digest, lesson.spam, lesson.domain, lesson.source, lesson.at, features))
