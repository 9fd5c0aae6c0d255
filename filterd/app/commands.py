"""What the commands work with: the daemon's own parts, without a daemon."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from filterd.app.custody import quarantine_of
from filterd.app.diagnosing import release_findings
from filterd.app.front import LiveFront, Resolving, StartError, shared_state
from filterd.app.nursery import FULL, nursery_settings
from filterd.app.site import Site
from filterd.checks.registry import ALL
from filterd.config import Config
from filterd.inspectors import InspectorPool, start_nursery
from filterd.ipc.messages import NurserySettings
from filterd.model.custody import Evidence, JournalRow
from filterd.model.message import RawMessage
from filterd.model.store import StoreError
from filterd.operations import doctor
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_redis import check_redis_way
from filterd.operations.environment import check_environment
from filterd.operations.replay import Bench
from filterd.pipeline.parts import Inspect, Parts
from filterd.pipeline.rule_costs import Cost, costs, keep
from filterd.pipeline.rule_watch import Use, uses
from filterd.quarantine import Journal, Quarantine
from filterd.store import MemoryStore
from filterd.telemetry import Metrics, configure

VIEWER: Final = "filterd.inspection.rendering:make_reader"  # by name: what is here must not import it
LOOK_SECONDS: Final = 0.5  # between two looks whether the nursery that loads rules still lives
INSPECTOR_SECONDS: Final = 30.0  # doctor waits that long for one inspector; a cold compile of large rules takes a part


class _Nothing:
    """Keeps nothing: a scan judges and leaves no trace."""

    def hold(self, evidence: Evidence, _message: RawMessage) -> str:
        return evidence.id

    def record(self, _row: JournalRow) -> None:
        return


@contextmanager
def open_scanner(site: Site, jobs: int = 0) -> Iterator[tuple[Parts, int]]:
    """Live parts that keep nothing, and how many messages they can judge at the same time. StartError."""
    with _open_front(site, jobs) as (front, workers):
        yield front.parts, workers


@contextmanager
def open_bench(site: Site, jobs: int = 0) -> Iterator[tuple[Bench, int]]:
    """What judges held messages again, and how many at the same time. StartError.

    An inspector that died then is no event now: what happens is told by the verdicts alone.
    """
    with _open_front(site, jobs) as (front, workers):
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        config = site.config
        yield Bench(front.parts, front.tools, config.reputation.enabled, config.classifier.enabled), workers


@contextmanager
def _open_front(site: Site, jobs: int) -> Iterator[tuple[LiveFront, int]]:
    workers = jobs or 2 * len(os.sched_getaffinity(0))
    configure("warning", site.config.log.format)
    with tempfile.TemporaryDirectory(prefix="filterd-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        nursery = start_nursery(folder, nursery_settings(site.config, _cache(site.config, folder)))
        try:
            front = LiveFront(
                site,
                nursery=nursery.path,
                inspectors=workers,
                store=MemoryStore(),
                custodian=_Nothing(),
                journal=_Nothing(),
                metrics=Metrics.create(1, tuple(ALL)).front(0),
            )
            try:
                yield front, workers
            finally:
                front.close()
        finally:
            nursery.stop()


@contextmanager
def open_inspectors(config: Config, rules: Path, jobs: int = 0, *, reader: str = "") -> Iterator[tuple[Inspect, int]]:
    """Inspectors with the YARA and regex rules of that folder alone, and how many there are. StartError.

    `reader` as in NurserySettings, empty for the daemon's own.
    """
    only = str(rules.resolve())
    with tempfile.TemporaryDirectory(prefix="filterd-") as name:
        Path(name).chmod(0o711)
        settings = replace(nursery_settings(config, Path(name) / "cache"), rules=only, regex=(only,), phrases="")
        with _started(replace(settings, reader=reader or settings.reader), jobs) as found:
            yield found


@contextmanager
def open_viewers(config: Config, jobs: int = 0) -> Iterator[tuple[Inspect, int]]:
    """Inspectors that show messages and judge nothing, and how many there are. StartError."""
    settings = replace(nursery_settings(config), rules="", regex=(), phrases="", classifier="", model="", reader=VIEWER)
    with _started(settings, jobs) as found:
        yield found


@contextmanager
def _started(settings: NurserySettings, jobs: int) -> Iterator[tuple[Inspect, int]]:
    workers = jobs or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="filterd-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        nursery = start_nursery(folder, settings)
        pool = InspectorPool(nursery.path, workers)
        try:
            while not pool.wait_ready(LOOK_SECONDS):
                if not nursery.alive():  # it has said why itself
                    raise StartError("no inspectors: the rules do not load")
            yield pool, workers
        finally:
            pool.close()
            nursery.stop()


def rule_uses(config: Config, rules: Sequence[str]) -> Mapping[str, Use] | None:
    """What the shared state knows of rules at work, by name; None where it does not answer. Looking makes nothing."""
    if not (config.redis.url or config.state_directory.is_dir()):
        return {}
    store = shared_state(config)
    try:
        return uses(store, rules)
    except StoreError:
        return None
    finally:
        store.close()


def rule_costs(config: Config, rules: Sequence[tuple[str, str]]) -> Mapping[str, Cost]:
    """What the last profiles said of rules, each with its file's namespace; nothing where the state does not answer."""
    if not (config.redis.url or config.state_directory.is_dir()):
        return {}
    store = shared_state(config)
    try:
        return costs(store, rules)
    except StoreError:
        return {}
    finally:
        store.close()


def keep_rule_costs(config: Config, files: Mapping[str, float], rules: Mapping[str, float]) -> bool:
    """Keep what a profile has measured, where there is a state; whether it is kept."""
    if not (config.redis.url or config.state_directory.is_dir()):
        return False
    store = shared_state(config)
    try:
        keep(store, files, rules, time.time())
    except StoreError:
        return False
    finally:
        store.close()
    return True


def open_quarantine(config: Config, *, upkeep: bool = False) -> Quarantine:
    """The quarantine, for looking and for deleting; nothing is made before something is held.

    `upkeep` as in quarantine_of.
    """
    return quarantine_of(config, upkeep=upkeep)


def open_journal(config: Config) -> Journal:
    """The journal that the daemon writes, for looking; looking makes nothing."""
    return Journal(config.state_directory / "journal.sqlite")


def diagnose(site: Site) -> list[Diagnosis]:
    """Everything `filterd doctor` looks at, in the order of what depends on what."""
    config = site.config
    found = [*check_environment(), *doctor.check_folder(config.state_directory)]
    if config.runtime_directory != config.state_directory:
        found += doctor.check_folder(config.runtime_directory)
    address = config.milter.address
    found += doctor.check_milter_socket(config.milter.listen, address.path, address.host, address.port)
    found += _resolver(site)
    if config.clamd.listen is not None:
        found.append(doctor.check_clamd(config.clamd.listen))
    if config.icap.service is not None:
        found.append(doctor.check_icap(config.icap.service, config.icap.method))
    found += check_redis_way(config.redis.url)
    if config.redis.url or config.state_directory.is_dir():  # looking makes nothing
        store = shared_state(config)
        found += doctor.check_store("redis" if config.redis.url else "embedded state", store)
        store.close()
    if config.quarantine.shared:
        found.append(doctor.check_ledger(lambda: _look(config)))
    found += release_findings(config)
    if config.classifier.enabled:
        from filterd.app.learning import look_at_model  # noqa: PLC0415  # numpy: no other command pays for it

        found.append(look_at_model(config))
    found.append(_inspector(site))
    return found


def _look(config: Config) -> None:
    """Whether the ledger of held mail can be used. CustodyError."""
    with closing(quarantine_of(config)) as quarantine:
        quarantine.look()


def _resolver(site: Site) -> list[Diagnosis]:
    resolving = Resolving(site)
    try:
        servers = [(server.host, server.port) for server in resolving.servers]
        zones = [zone for zone in site.zones if zone.listed]
        return list(doctor.check_resolver(servers, resolving.resolver, zones, resolving.thread.call))
    finally:
        resolving.close()


def _inspector(site: Site) -> Diagnosis:
    """Start one inspector as the daemon would and say which walls stand around it."""
    subject = "inspector"
    with tempfile.TemporaryDirectory(prefix="filterd-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        nursery = start_nursery(folder, nursery_settings(site.config, _cache(site.config, folder)))
        pool = InspectorPool(nursery.path, 1)
        try:
            if not pool.wait_ready(INSPECTOR_SECONDS) or pool.level is None:
                return Diagnosis(Level.FAILED, subject, f"does not start: {pool.trouble}", "see the log of filterd run")
            missing = pool.level.missing(FULL)
            if missing:
                text = f"reads hostile mail without {', '.join(missing)}"
                remedy = "allow it in the unit or container (RestrictNamespaces, seccomp profile), or accept the rest"
                return Diagnosis(Level.WARNING, subject, text, remedy)
            return Diagnosis(Level.OK, subject, f"is locked in: {pool.level}")
        finally:
            pool.close()
            nursery.stop()


def _cache(config: Config, fallback: Path) -> Path:
    """Compiled rules are shared with the daemon where this user may write there."""
    cache = config.state_directory / "cache"
    usable = os.access(cache if cache.exists() else config.state_directory, os.W_OK | os.X_OK)
    return cache.resolve() if usable else fallback / "cache"
