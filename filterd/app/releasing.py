"""How mail is given back to the MTA: to whom, and with which right to pass unfiltered."""

import secrets
import time
from collections.abc import Callable

import structlog

from filterd.config import Config, Listen
from filterd.operations.release import Deliver
from filterd.operations.stamped import Marked, Stamped
from filterd.pipeline.door import Door
from filterd.quarantine import Quarantine
from filterd.quarantine.keys import KeyFileError, Keys
from filterd.quarantine.marks import Marker
from filterd.quarantine.relay import Relay
from filterd.quarantine.tokens import Stamp
from filterd.telemetry import Event

_log = structlog.get_logger()


def keys_of(config: Config) -> Keys:
    """The keys of release tokens and of marks."""
    return Keys(config.quarantine.token_file or config.state_directory / "release.key")


def uses_tokens(config: Config) -> bool:
    """Whether anything is given back with a token: released mail, or digests that do not go the way of it."""
    return config.quarantine.release_by == "token" or config.digest.listener is not None


def make_keys(config: Config) -> None:
    """Make a first key where there is none. KeyFileError, where anything is given back by tokens.

    Without a key nothing is marked, and what comes back is held again: no reason not to start.
    """
    try:
        keys_of(config).make()
    except KeyFileError as error:
        if uses_tokens(config):
            raise
        _log.error(Event.RELEASE_KEY_FAILED, cause=str(error))


def door_of(config: Config, quarantine: Quarantine) -> Door:
    """What lets tokens of ours pass, where there are any, and marked messages that come back."""
    used = quarantine.redeemed
    return Door(keys_of(config).find, used.redeem, used.redeem_all, tokens=uses_tokens(config))


def marker_of(config: Config) -> Marker:
    """What marks released mail."""
    return Marker(keys_of(config), time.time, secrets.token_bytes)


def deliver_of(config: Config) -> Deliver:
    """What hands released mail over."""
    return _deliver(config, config.quarantine.listener, tokens=config.quarantine.release_by == "token")


def deliver_digest_of(config: Config) -> Deliver:
    """What hands digests over."""
    listener = config.digest.listener
    deliver = deliver_of(config) if listener is None else _deliver(config, listener, tokens=True)
    return Marked(deliver, marker_of(config))


def _deliver(config: Config, listener: Listen, *, tokens: bool) -> Deliver:
    relay = Relay(listener.host, listener.port, config.authserv_id, config.quarantine.release_timeout)
    clock: Callable[[], float] = time.time
    return Stamped(relay.deliver, Stamp(keys_of(config), clock, secrets.token_bytes)) if tokens else relay.deliver
