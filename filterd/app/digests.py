"""Digests of held mail, as the configuration asks for them."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import structlog

from filterd.app.releasing import deliver_digest_of
from filterd.config import Config
from filterd.operations.digest import Post, Sent
from filterd.operations.digest_mail import Letterhead
from filterd.operations.digest_sheets import Audience, Schedule
from filterd.operations.digest_templates import TemplateError, load_templates
from filterd.quarantine import Quarantine
from filterd.quarantine.changes import DAEMON
from filterd.quarantine.digests import Told
from filterd.telemetry import Event

_log = structlog.get_logger()


def post_of(config: Config, quarantine: Quarantine) -> Post | None:
    """What tells people of this quarantine; None where nobody is to be told. TemplateError."""
    wanted = config.digest
    if not wanted.wanted:
        return None
    hour, minute = wanted.hour_and_minute
    zone = ZoneInfo(wanted.timezone)
    return Post(
        quarantine,
        deliver_digest_of(config),
        Audience(wanted.reviewers, wanted.domains, wanted.reasons, wanted.never, wanted.most),
        Letterhead(wanted.sender, wanted.bounces, config.authserv_id, zone, load_templates(wanted.templates)),
        Schedule(wanted.every, hour, minute, zone),
    )


def template_problems(config: Config) -> Iterator[str]:
    """What is wrong with a site's own templates."""
    try:
        load_templates(config.digest.templates)
    except TemplateError as error:
        yield f"[digest] templates: {error}"


def tell_digests(post: Post | None) -> None:
    """Send what is due, and log it. CustodyError."""
    for sent in post.due(DAEMON) if post is not None else ():
        log_sent(sent)


def log_sent(sent: Sent) -> None:
    """One line for one mail."""
    if sent.state is Told.SENT:
        _log.info(Event.DIGEST_SENT, to=sent.mail.recipient, held=sent.mail.count, answer=sent.text)
    else:
        _log.error(Event.DIGEST_FAILED, to=sent.mail.recipient, state=sent.state, answer=sent.text)
