"""DMARC reports, as the configuration asks for them: what counts in the daemon, what sends from a command."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

import structlog

from filterd import __version__
from filterd.app.custody import place_of
from filterd.app.front import Resolving
from filterd.app.releasing import deliver_of
from filterd.app.site import Site
from filterd.config import Config, SecretError
from filterd.config.secrets import MAX_KEY, read_private, remember
from filterd.dmarc import Reporter
from filterd.model.aggregate import DAY
from filterd.model.dns import Answer, Question
from filterd.operations.dmarc_key import Signer, SigningError
from filterd.operations.dmarc_send import Courier
from filterd.operations.release import Deliver
from filterd.quarantine.aggregates import Aggregates
from filterd.quarantine.opening import open_aside
from filterd.quarantine.relay import Relay
from filterd.telemetry import Event, configure

_log = structlog.get_logger()
NO_SENDER: Final = "[dmarc_reports] sender: expected the address of who reports, such as dmarc@example.org"
NO_KEY: Final = (
    "[dmarc_reports] dkim_selector and dkim_key_file: expected a key to sign with: receivers want reports to pass"
    " DMARC (RFC 9990, section 3.5.2)"
)


class ReportsError(Exception):
    """The configuration does not say what is needed to report."""


def aggregates_of(config: Config, *, upkeep: bool = False) -> Aggregates:
    """What was counted, with `upkeep` as the user who may read and remove. CustodyError."""
    place = place_of(config, upkeep=upkeep)
    return Aggregates(open_aside(place, config.state_directory), failed=_uncounted)


def counting(config: Config) -> Aggregates | None:
    """What counts in a front; None where nothing is to be counted. CustodyError."""
    return aggregates_of(config) if config.dmarc_reports.enabled else None


def forget_counted(config: Config) -> None:
    """Remove what is older than it is kept. CustodyError."""
    with closing(aggregates_of(config, upkeep=True)) as aggregates:
        aggregates.forget(int((time.time() - config.dmarc_reports.keep * DAY) // DAY))


def reporter_of(config: Config) -> Reporter:
    """Who reports. ReportsError where nobody is named."""
    wanted = config.dmarc_reports
    if not wanted.sender:
        raise ReportsError(NO_SENDER)
    return Reporter(
        organization=wanted.organization or wanted.domain,
        email=wanted.sender,
        domain=wanted.domain,
        # Nodes that count each for itself report each for itself, on the same domain and day.
        host="" if config.quarantine.shared else f"{config.authserv_id} {os.uname().nodename}",
        contact=wanted.contact,
        generator=f"filterd {__version__}",
    )


@contextmanager
def open_courier(site: Site) -> Iterator[Courier]:
    """What sends reports, asking the configured name servers. ReportsError, CustodyError."""
    config, wanted = site.config, site.config.dmarc_reports
    reporter = reporter_of(config)
    signer = _signer(config)
    configure("error", config.log.format)
    resolving = Resolving(site)
    try:
        _must_verify(signer, resolving)
        with closing(aggregates_of(config, upkeep=True)) as aggregates:
            yield Courier(
                aggregates=aggregates,
                reporter=reporter,
                ask=_remembering(resolving),
                sign=signer.sign,
                deliver=_deliver(config),
                bounces=wanted.bounces,
                max_size=wanted.max_size,
                most=wanted.most,
            )
    finally:
        resolving.close()


def _signer(config: Config) -> Signer:
    """What signs. ReportsError where there is no key, or none that may be used."""
    wanted = config.dmarc_reports
    if wanted.dkim_key_file is None:
        raise ReportsError(NO_KEY)
    try:
        key = read_private(wanted.dkim_key_file, MAX_KEY)
        signer = Signer.of(key, wanted.dkim_selector, wanted.dkim_domain or wanted.domain)
    except SecretError as error:
        raise ReportsError(f"[dmarc_reports] dkim_key_file: {error}") from None
    except SigningError as error:
        raise ReportsError(f"[dmarc_reports] dkim_key_file: {wanted.dkim_key_file}: {error}") from None
    for line in key.decode("ascii", "replace").splitlines():
        if not line.startswith("-----") and line not in signer.record:  # a file of a private key begins with the public
            remember(line)
    return signer


def _must_verify(signer: Signer, resolving: Resolving) -> None:
    """ReportsError where it is certain that nobody could verify what is signed."""
    try:
        (answer,) = resolving.ask((signer.question,))
        signer.published(answer)
    except SigningError as error:
        raise ReportsError(f"[dmarc_reports] dkim_selector: {error}") from None


def _remembering(resolving: Resolving) -> Callable[[tuple[Question, ...]], tuple[Answer, ...]]:
    """What answers questions, each once: domains share much of what they ask. A failure is not remembered."""
    known: dict[Question, Answer] = {}

    def ask(questions: tuple[Question, ...]) -> tuple[Answer, ...]:
        missing = tuple([one for one in dict.fromkeys(questions) if one not in known])
        found = dict(zip(missing, resolving.ask(missing), strict=True)) if missing else {}
        known.update({question: answer for question, answer in found.items() if not answer.failed})
        return tuple([found.get(one) or known[one] for one in questions])

    return ask


def _deliver(config: Config) -> Deliver:
    """No token where a listener is named: it may be one that sends the mail, header fields and all, into the world."""
    listener = config.dmarc_reports.listener
    if listener is None:
        return deliver_of(config)
    return Relay(listener.host, listener.port, config.authserv_id, config.quarantine.release_timeout).deliver


def _uncounted(cause: str) -> None:
    _log.error(Event.DMARC_UNCOUNTED, cause=cause)
