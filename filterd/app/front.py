"""What one front process works with: made after the fork, closed before it ends."""

import inspect
import os
import time
from asyncio import AbstractEventLoop, gather
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from filterd.app.early import early_of
from filterd.app.policies import decisions
from filterd.app.redis import redis_url
from filterd.app.site import Site
from filterd.app.throttle import Throttle
from filterd.app.watch import ListsWatch
from filterd.checks.registry import Tools, make_all
from filterd.clamd import ClamdPool
from filterd.config import Config
from filterd.dmarc import OverridePolicy
from filterd.dns.cache import AnswerCache
from filterd.dns.clamping import ClampedAsker
from filterd.dns.lookups import CLOSED, Lookups
from filterd.dns.loop import LoopThread
from filterd.dns.nameserver import Nameserver, system_nameservers
from filterd.dns.resolver import CachingResolver
from filterd.dns.shared import SharedAnswers
from filterd.dns.stub import StubResolver
from filterd.icap import IcapPool
from filterd.inspectors import InspectorPool, PoisonLedger
from filterd.model.custody import Custodian, JournalWriter
from filterd.model.dns import Answer, AnswerStatus, Question
from filterd.model.early import EarlyGate
from filterd.model.identity import Identities
from filterd.ownlists import ListsGate, OwnLists
from filterd.pipeline.autolearn import Autolearn
from filterd.pipeline.deferral import Deferrals
from filterd.pipeline.parts import Counters, Limits, Parts
from filterd.pipeline.replies import Replies
from filterd.pipeline.rule_watch import NEVER, RuleWatch
from filterd.pipeline.schedule import Schedule
from filterd.pipeline.trust import TrustPolicy
from filterd.reputation import Memory, Tally
from filterd.scanners import ScannerPool
from filterd.store import BatchStore, GuardedStore, ReplayCounter, SelectorMemory, WriteBehind, open_reads, open_store
from filterd.telemetry import Event
from filterd.telemetry.metrics import FrontMetrics

INSPECTORS_WITHIN: Final = 45.0  # seconds; a cold compile of a large rule set is what they wait for
CLOSE_SECONDS: Final = 2.0
LATE: Final = 1.0  # seconds that a thread waits longer than any question may take
LATER: Final = "timeout"  # the cause where who asked could not wait so long
_log = structlog.get_logger()


class StartError(Exception):
    """A front cannot serve; the text says why."""


class Resolving:
    """The loop thread of this process with the resolver in it."""

    def __init__(self, site: Site, share: Callable[[AbstractEventLoop], SharedAnswers | None] | None = None) -> None:
        """Start the thread; sockets are opened at the first question. `share` gives the cache's second level."""
        self.thread = LoopThread("lookups")
        self.thread.start()
        self._loop = self.thread.loop
        config = site.config
        self.servers = tuple(Nameserver(host, port) for host, port in config.dns.servers) or system_nameservers()
        self._stub = StubResolver(
            self.servers, self._loop, lifetime=config.dns.timeout, try_timeout=config.dns.try_timeout
        )
        asker = ClampedAsker(self._stub, {zone.zone: (zone.min_ttl, zone.max_ttl) for zone in site.zones})
        self._shared = None if share is None else share(self._loop)
        self.resolver = CachingResolver(asker, AnswerCache(), loop=self._loop, shared=self._shared)
        if self._shared is not None:
            self._loop.call_soon_threadsafe(self._shared.start)
        self._early = config.limits.dns_queries_early
        self._seconds = config.dns.timeout

    def lookups(self) -> Lookups:
        """The lookups of one message; end of message grants it the rest of its questions."""
        return Lookups(self.resolver, self._loop, most=self._early, seconds=self._seconds)

    def ask(self, questions: tuple[Question, ...], seconds: float | None = None) -> tuple[Answer, ...]:
        """What the name servers say now, past every cache; for threads that may wait. A failure is an answer too.

        `seconds` is for who cannot wait as long as a lookup may take.
        """
        asking = self._ask(questions)
        wait = self._seconds + LATE
        try:
            return self.thread.call(asking, wait if seconds is None else min(wait, max(0.0, seconds)))
        except (TimeoutError, RuntimeError, CancelledError) as error:  # no more time, or the loop is at its end
            cause = LATER if seconds is not None and isinstance(error, TimeoutError) else CLOSED
            if inspect.getcoroutinestate(asking) == inspect.CORO_CREATED:
                asking.close()
            return tuple([Answer(question, AnswerStatus.TEMPFAIL, cause=cause) for question in questions])

    async def _ask(self, questions: tuple[Question, ...]) -> tuple[Answer, ...]:
        return tuple(await gather(*[self._stub.resolve(question) for question in questions]))

    def close(self) -> None:
        """Answer what is outstanding and end the thread."""
        if self._shared is not None:
            self._loop.call_soon_threadsafe(self._shared.close)
        self._loop.call_soon_threadsafe(self._stub.close)
        self.thread.stop()


def shared_state(config: Config) -> BatchStore:
    """The store that all fronts share: Redis where one is configured, else SQLite under [paths] state."""
    return open_store(redis_url(config) or None, config.state_directory)


def lists_copy(config: Config) -> Path:
    """Where fronts keep the last good copy of the allow and block lists."""
    return config.state_directory / "lists.json"


class LiveFront:
    """A front's live parts. `close` flushes and ends them."""

    def __init__(  # noqa: PLR0913  # what differs between the daemon and a command
        self,
        site: Site,
        *,
        nursery: Path,
        inspectors: int,
        store: BatchStore,
        custodian: Custodian,
        journal: JournalWriter,
        metrics: FrontMetrics,
        remembers: bool = False,
        throttles: bool = False,
        pupil: Autolearn | None = None,
    ) -> None:
        """Build everything; returns once the inspectors are ready. StartError where they are not to be had.

        `remembers`: what becomes of messages is remembered of their senders; `throttles`: greylist and rate limits are
        at work. `pupil` sees what may be learnt of messages.
        """
        self._metrics = metrics
        self._pool = InspectorPool(nursery, inspectors, tell=metrics.inspectors)
        self._store = store
        _tell_of(store, metrics)
        self._writes = WriteBehind(store)
        self._lessons = Tally(store)
        self._pupil = pupil
        selectors = SelectorMemory(store, self._writes)
        ours = _trust(site.config).is_ours
        memory = Memory(store, self._lessons, selectors, ours=ours) if remembers else None
        share = site.config.rules.suspend_share or NEVER
        self._rules = RuleWatch(store, share, count=metrics.rule_demoted) if remembers else None
        self._throttle = (
            Throttle(site.config, redis_url(site.config), store, self._writes, metrics, memory, site.policies)
            if throttles
            else None
        )
        self._resolving = Resolving(site, self._share)
        self._replays = ReplayCounter(store)
        self._scanners = _scanners(site.config)
        self.lists = ListsWatch(site.zones, store, self._resolving.ask, self._resolving.resolver.forget, metrics)
        self.own_lists = OwnLists(store, lists_copy(site.config), failed=metrics.store_failed)
        self.tools = Tools(
            selectors,
            site.zones,
            self.lists.unusable,
            self.lists.observe,
            site.config.limits.url_hosts,
            site.config.trust.arc_sealers,
            site.config.trust.allow,
            _overrides(site.config),
            spf_explain=site.config.spf.explain,
            spf_upgrade=site.config.dmarc.spf_upgrade,
            known_lists=site.config.dmarc.known_lists,
            memory=memory,
            replays=self._replays,
            indicators=site.indicators,
            book=self.own_lists.book,
        )
        schedule = Schedule.of(make_all(self.tools))
        self.parts = _parts(
            site,
            schedule,
            self._resolving,
            self._pool,
            store,
            custodian=custodian,
            journal=journal,
            counters=metrics,
            memory=memory,
            rules=self._rules,
            scanners=self._scanners,
            pupil=pupil,
        )
        early = early_of(site, self.parts, metrics, memory, self._gates(site))
        early_wait = site.config.early.wait if site.config.early.milter else None
        greylisting = None if self._throttle is None else self._throttle.greylisting
        self.parts = replace(self.parts, early=early, early_wait=early_wait, greylisting=greylisting)
        if not self._pool.wait_ready(INSPECTORS_WITHIN):
            trouble = self._pool.trouble or "they did not start in time"
            self.close()
            raise StartError(f"no inspectors: {trouble}")

    def _gates(self, site: Site) -> tuple[EarlyGate, ...]:  # noqa: ARG002  # those that are built ask the site
        """Who else is asked about a recipient before its content, in this order; those that are `ahead` come first."""
        throttle = () if self._throttle is None else self._throttle.gates
        return (ListsGate(self.own_lists), *throttle)

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop of the lookups' thread."""
        return self._resolving.thread.loop

    @property
    def facts(self) -> dict[str, object]:
        """What `filterd status` shows of the inspectors."""
        level = self._pool.level
        return {
            "rule_set": self._pool.rule_set,
            "rule_files_left_out": list(self._pool.problems)[:5],
            "sandbox": {}
            if level is None
            else {
                "namespaces": level.namespaces,
                "chroot": level.chroot,
                "landlock": level.landlock,
                "seccomp": level.seccomp,
            },
        }

    def close(self) -> None:
        """End what runs and write what is queued."""
        self.lists.close()
        self.own_lists.close()
        self._pool.close()
        for scanner in self._scanners.values():
            scanner.close()
        self._resolving.close()
        if self._throttle is not None:
            self._throttle.close()
        self._writes.close()
        self._lessons.close()
        if self._pupil is not None:
            self._pupil.close()
        if self._rules is not None:
            self._rules.close()
        self._replays.close()
        self._store.close()

    def _share(self, loop: AbstractEventLoop) -> SharedAnswers | None:
        """Answers are shared where the store is Redis: reading SQLite would block the loop, for one host's sake."""
        reads = open_reads(self._store, loop)
        return None if reads is None else SharedAnswers(reads, self._writes, loop, count=self._metrics.shared_answers)


def _tell_of(store: BatchStore, metrics: FrontMetrics) -> None:
    """Have it known when the store stops answering, and when it answers again."""

    def changed(alone: bool) -> None:  # noqa: FBT001  # what the breaker calls
        metrics.store_left_alone(alone=alone)
        _log.warning(Event.STORE_UNAVAILABLE if alone else Event.STORE_RETURNED)

    if isinstance(store, GuardedStore):
        store.breaker.on_change = changed


def _scanners(config: Config) -> dict[str, ScannerPool]:
    """The scanners of other makes that are to be asked, by the name of their check."""
    found: dict[str, ScannerPool] = {}
    clamd, icap = config.clamd, config.icap
    if clamd.listen is not None:
        found["clamd"] = ClamdPool(clamd.listen, clamd.timeout, clamd.max_size)
    if icap.service is not None:
        most, fronts = icap.max_size, config.milter.fronts
        found["icap"] = IcapPool(icap.service, icap.method, seconds=icap.timeout, most=most, sharers=fronts)
    return found


def _overrides(config: Config) -> OverridePolicy:
    return OverridePolicy(Identities(config.dmarc.forwarders), frozenset(config.dmarc.mailing_lists))


def _trust(config: Config) -> TrustPolicy:
    skip = {trust: frozenset(names) for trust, names in config.trust.skip.items()}
    return TrustPolicy(config.trust.networks, config.trust.relays, skip)


def _parts(  # noqa: PLR0913  # one for each thing that is live
    site: Site,
    schedule: Schedule,
    resolving: Resolving,
    pool: InspectorPool,
    store: BatchStore,
    *,
    custodian: Custodian,
    journal: JournalWriter,
    counters: Counters,
    memory: Memory | None,
    rules: RuleWatch | None,
    scanners: Mapping[str, ScannerPool],
    pupil: Autolearn | None,
) -> Parts:
    config = site.config
    return Parts(
        schedule=schedule,
        lookups=resolving.lookups,
        inspectors=pool,
        poison=PoisonLedger(store),
        deferrals=Deferrals(store),
        trust=_trust(config),
        policy=decisions(config.actions),
        policies=site.policies,
        scores=site.scores,
        replies=Replies(config.replies),
        custodian=custodian,
        journal=journal,
        counters=counters,
        limits=Limits(
            deadline=config.milter.deadline,
            dns_wait=config.dns.timeout,
            inspection=config.inspectors.seconds,
            analysed=config.limits.message_bytes,
            questions=config.limits.dns_queries,
        ),
        authserv_id=config.authserv_id,
        config_id=site.config_id,
        rules_id=site.rules_id,
        log_addresses=config.log.addresses,
        clock=time.time,
        monotonic=time.monotonic,
        randomness=os.urandom,
        memory=memory,
        rules=rules,
        scanners=scanners,
        autolearn=pupil,
        received_spf=config.spf.received_header,
    )
