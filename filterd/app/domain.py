"""What examines domains, on the configured name servers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filterd.app.front import Resolving
from filterd.app.site import Site
from filterd.operations.domain_values import Posture
from filterd.telemetry import configure


@contextmanager
def open_examiner(site: Site, *, seconds: float, fetch: bool) -> Iterator[Callable[[str], Posture]]:
    """What examines a domain within that time, and fetches the policy of MTA-STS where that is wanted."""
    from filterd.operations.domain import Examiner, policy_fetcher  # noqa: PLC0415  # checkdmarc: half a second

    configure("error", site.config.log.format)
    resolving = Resolving(site)
    try:
        yield Examiner(
            resolving.servers,
            resolving.ask,
            seconds=seconds,
            question=(site.config.dns.timeout, site.config.dns.try_timeout),
            fetch=policy_fetcher(resolving.ask) if fetch else None,
        ).examine
    finally:
        resolving.close()
