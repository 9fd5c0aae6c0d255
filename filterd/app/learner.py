"""The process that learns beside the fronts: it alone has numpy, and only where there is something to do all the time.

Before the nursery starts it makes sure that there is a model file which can be mapped. Then it makes a model anew that
holds what was forgotten or is damaged, and ends, unless the daemon learns by itself or nodes share a model: then it
takes what the fronts offer, keeps both kinds in balance, and follows what others have learnt.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
import structlog

from filterd.app.beside import ENDING, RETRY, lives, settle
from filterd.config import Config
from filterd.model.store import StoreError
from filterd.pipeline.autolearn import Autolearn, Bounds, Offer
from filterd.store.inbox import Inbox
from filterd.store.writes import BatchStore
from filterd.supervisor.forking import fork
from filterd.supervisor.supervisor import Observer
from filterd.telemetry import Event

if TYPE_CHECKING:
    from filterd.classifier.learning import Learner
    from filterd.classifier.stream import SharedLearner

INBOX: Final = "inbox.sqlite"
READY_SECONDS: Final = 20.0  # until there is a file to map; the daemon starts without a model after that
POLL: Final = 2.0  # seconds between two looks at the queue and the stream
AT_ONCE: Final = 200  # offers learnt as one
SLACK: Final = 20  # messages of one kind that may be learnt by itself above those of the other
_log = structlog.get_logger()


class LearnerProcess:
    """Runs it as a child of the supervisor, which stays single-threaded because it forks."""

    def __init__(self, config: Config) -> None:
        """Start it and wait until there is a model file."""
        self._pid = 0
        self._retry = 0.0
        self._config = config
        self._start()

    @property
    def pid(self) -> int:
        """The last that was started; 0: none was."""
        return self._pid

    def use(self, config: Config) -> None:
        """Go on with another configuration; the model file is there when this returns."""
        if (config.classifier, config.redis) != (self._config.classifier, self._config.redis):
            self.stop()
            self._config = config
            self._start()

    def tend(self) -> None:
        """Replace a process that has ended and should not have."""
        if not lasting(self._config) or lives(self._pid) or time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + RETRY
        self._start()

    def stop(self) -> None:
        """End it; a batch that it is at is finished, or learnt by the next one."""
        if lives(self._pid):
            os.kill(self._pid, signal.SIGTERM)
        self._pid = 0

    def _start(self) -> None:
        if not self._config.classifier.enabled:
            return
        read_end, write_end = os.pipe()
        pid = fork()
        if not pid:
            _run(self._config, write_end)
        os.close(write_end)
        ready, _, _ = select.select([read_end], [], [], READY_SECONDS)
        trouble = os.read(read_end, 1_000) if ready else b"it took too long"
        os.close(read_end)
        if trouble:
            _log.error(Event.CLASSIFIER_FAILED, cause=trouble.decode("utf-8", "replace"))
        self._pid = pid


class Tended:
    """The supervisor's observer, who looks after the process besides."""

    def __init__(self, observer: Observer, learner: LearnerProcess) -> None:
        """Tell that observer everything."""
        self.changed = observer.changed
        self.front_ended = observer.front_ended
        self.reloading = observer.reloading
        self.reloaded = observer.reloaded
        self.serving = observer.serving
        self.beat = observer.beat
        self._observer = observer
        self._learner = learner

    def tick(self) -> None:
        """About a second has passed."""
        self._observer.tick()
        self._learner.tend()


def autolearn(config: Config, store: BatchStore) -> Autolearn | None:
    """Where a front offers what may be learnt; None where nothing is learnt by itself."""
    if not (config.classifier.enabled and config.classifier.autolearn):
        return None
    bounds = Bounds(config.classifier.autolearn_spam, config.classifier.autolearn_ham)
    return Autolearn(Inbox(config.classifier_directory / INBOX), store, bounds)


def lasting(config: Config) -> bool:
    """Whether there is something to do all the time."""
    return config.classifier.enabled and (config.classifier.autolearn or bool(config.redis.url))


def _run(config: Config, ready: int) -> NoReturn:
    """The child's life. A word in the pipe says what is wrong; it closes without one where all is well."""
    status = 1
    try:
        settle("learner", ready)
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        from filterd.app.learning import shared  # noqa: PLC0415  # numpy: fronts must not inherit it
        from filterd.classifier.learning import Learner  # noqa: PLC0415  # the same

        try:
            learner = Learner(config.classifier_directory, remembered=config.classifier.remembered)
            trouble = learner.ensure()
        except Exception as error:  # noqa: BLE001  # whatever it is: the daemon is told, and starts without a model
            os.write(ready, f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:1_000])
            os._exit(status)
        os.close(ready)
        learner.prepare()
        if trouble:
            _log.warning(Event.CLASSIFIER_REBUILT, cause=trouble)
        if lasting(config):
            Work(config, learner, shared(config, learner)).until(_told)
        status = 0
    except BaseException:  # noqa: BLE001  # the top of this process: say why it ends
        _log.error(Event.CLASSIFIER_FAILED, exc_info=True)
    finally:
        os._exit(status)


def _told() -> bool:
    """Wait a little; whether to end."""
    return signal.sigtimedwait(ENDING, POLL) is not None


class Work:
    """What a lasting process does, again and again."""

    def __init__(self, config: Config, learner: "Learner", together: "SharedLearner | None") -> None:
        """`together` is how several nodes share one model; None: this one has its own."""
        self._learner = learner
        self._together = together
        self._autolearn = config.classifier.autolearn
        self._inbox = Inbox(config.classifier_directory / INBOX)
        self._failing = False
        self._missed = 0

    def until(self, told: Callable[[], bool]) -> None:
        """Work until told to end."""
        while not told():
            try:
                self.once()
                self._failing = False
            except StoreError as error:
                if not self._failing:  # what is offered waits until then
                    _log.warning(Event.CLASSIFIER_WAITS, cause=str(error))
                self._failing = True

    def once(self) -> None:
        """Take offers, follow the others, and make the model anew where it holds what was forgotten. StoreError."""
        if self._autolearn:
            self._take()
        if self._together is not None:
            self._together.follow()
            if self._together.missed > self._missed:
                self._missed = self._together.missed
                _log.warning(Event.CLASSIFIER_BEHIND, lessons=self._missed)
        self._learner.settle()

    def close(self) -> None:
        """Close what is open."""
        self._inbox.close()
        if self._together is not None:
            self._together.close()
        self._learner.close()

    def _take(self) -> None:
        from filterd.app.learning import lessons_of  # noqa: PLC0415  # numpy again

        offers = self._inbox.first(AT_ONCE)
        if not offers:
            return
        with self._learner.memory.looking() as look:
            counts = look.counts()
        chosen = balanced(
            [_read(item) for _, item in offers], counts["spam"].get("auto", 0), counts["ham"].get("auto", 0)
        )
        if chosen:
            (self._together or self._learner).learn(lessons_of(chosen))
        self._inbox.done(offers[-1][0])


def balanced(offers: Sequence[Offer | None], spam: int, ham: int) -> list[Offer]:
    """Those offers that may be learnt where so many of each kind have been: neither kind gets far above the other."""
    chosen = []
    for offer in offers:
        if offer is None:
            continue
        ahead = spam - ham if offer.spam else ham - spam
        if ahead >= SLACK:
            continue
        spam, ham = spam + offer.spam, ham + (not offer.spam)
        chosen.append(offer)
    return chosen


def _read(item: bytes) -> Offer | None:
    try:
        return msgspec.msgpack.decode(item, type=Offer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
