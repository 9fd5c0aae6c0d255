"""Block lists as the commands see them: asked from the command line, and which are suspended."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from filterd.app.front import Resolving, shared_state
from filterd.app.site import Site
from filterd.config import Config
from filterd.dnsbl import Ask, Zone
from filterd.store import SuspendedLists, Suspension
from filterd.telemetry import configure


@contextmanager
def open_lists(site: Site) -> Iterator[Ask]:
    """What asks the configured name servers, without a cache."""
    configure("error", site.config.log.format)
    resolving = Resolving(site)
    try:
        yield resolving.ask
    finally:
        resolving.close()


def suspended_lists(site: Site) -> Mapping[str, Suspension] | None:
    """The lists that are suspended now, by name; None where the shared state does not answer. Looking makes nothing."""
    return _suspensions(site.config, site.zones)


def _suspensions(config: Config, zones: Sequence[Zone]) -> Mapping[str, Suspension] | None:
    if not (config.redis.url or config.state_directory.is_dir()):
        return {}
    store = shared_state(config)
    try:
        lists = SuspendedLists(store, [zone.name for zone in zones])
        found = lists.refresh()
        return None if lists.failures else found
    finally:
        store.close()


def protection_of(config: Config, zones: Sequence[Zone] | None) -> dict[str, Any]:
    """For `filterd status`: the suspended lists by displayed name, and since when mail is unprotected by any.

    Both are None where that is not known; no zones: the store does not answer.
    """
    found = None if zones is None else _suspensions(config, zones)
    if zones is None or found is None:
        return {"suspended_lists": None, "unprotected_since": None}
    displays = {zone.name: zone.display for zone in zones}
    return {
        "suspended_lists": {
            displays[name]: {"since": _time(entry.since), "reason": entry.reason} for name, entry in found.items()
        },
        "unprotected_since": _time(min(entry.since for entry in found.values())) if found else "",
    }


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
