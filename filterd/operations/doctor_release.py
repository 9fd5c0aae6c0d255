"""`filterd doctor` about giving mail back, and about recipients that are decided apart: what the MTA must be set to."""

from collections.abc import Iterator
from pathlib import Path

from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.postconf import Ask, Listener, PostconfError, Postfix, read_postfix
from filterd.quarantine.keys import KeyFileError, Keys


def check_keys(keys: Keys, folder: Path) -> Diagnosis:
    """The file with the keys of tokens: there, whole, private, and of the user whose the state folder is."""
    subject = f"keys of release tokens {keys.path}"
    try:
        name = keys.first().name
        owner, ours = keys.path.stat().st_uid, folder.stat().st_uid
    except KeyFileError as error:
        remedy = "without a key nothing is released; see [quarantine] token_file"
        return Diagnosis(Level.FAILED, subject, f"cannot be used: {error}", remedy)
    except OSError as error:
        return Diagnosis(Level.FAILED, subject, f"cannot be looked at: {error.strerror}", f"look at {folder}")
    if owner != ours:
        text = f"belongs to uid {owner}, and {folder} to uid {ours}: the daemon cannot read it"
        return Diagnosis(Level.FAILED, subject, text, f"chown {ours} {keys.path}")
    return Diagnosis(Level.OK, subject, f"are private; key {name} signs")


def check_client(address: str, *, ours: bool) -> Diagnosis:
    """What is given back with a token must come from a client that is no stranger; `address` is where we come from."""
    subject = "client of releases"
    if ours:
        return Diagnosis(Level.OK, subject, f"{address} is one of [trust]")
    text = f"tokens of releases from {address} do not count: it is a stranger"
    return Diagnosis(Level.FAILED, subject, text, f"add {address} to [trust] networks")


def check_postfix(ask: Ask, port: int, *, tokens: bool, policies: bool) -> Iterator[Diagnosis]:
    """The Postfix of this host: where recipients are decided apart, and at the listener that takes released mail.

    `port` is that listener's; 0 where it is not on this host.
    """
    try:
        postfix = read_postfix(ask)
    except PostconfError as error:
        remedy = "look at /etc/postfix/main.cf, or run this as a user who may"
        yield Diagnosis(Level.WARNING, "Postfix", f"cannot be asked what it is set to: {error}", remedy)
        return
    if policies:
        yield _recipients(postfix)
    if not port:
        return
    listeners = postfix.listeners.get(port, ())
    if not listeners:
        text = f"has no listener on port {port}: nothing can be released"
        remedy = "append deploy/postfix/master.cf to /etc/postfix/master.cf, or set [quarantine] release"
        yield Diagnosis(Level.WARNING, "Postfix", text, remedy)
    for listener in listeners:
        yield from _with_tokens(listener) if tokens else _without(listener)


def _recipients(postfix: Postfix) -> Diagnosis:
    """A milter takes recipients out by the address that the client gave, which Postfix must have kept for aliases."""
    subject = "Postfix enable_original_recipient"
    if postfix.settings["enable_original_recipient"] == "no":
        text = "is no: a recipient that is an alias may not be found to be taken out, and get what is held for him"
        return Diagnosis(Level.FAILED, subject, text, "postconf enable_original_recipient=yes, then postfix reload")
    return Diagnosis(Level.OK, subject, "is yes, as policies for recipients need it")


def _without(listener: Listener) -> Iterator[Diagnosis]:
    """Nothing may filter there, and nothing be completed."""
    subject = f"Postfix {listener.name}"
    rewrites = bool(listener.settings["local_header_rewrite_clients"])
    if listener.filters:
        text = "takes released mail, and has it filtered again: it would be held again"
        remedy = 'give it -o smtpd_milters= as in deploy/postfix/master.cf, or set release_by = "token"'
        yield Diagnosis(Level.FAILED, subject, text, remedy)
    if rewrites:
        text = "completes what local clients send: what is released may be altered, and its signatures break"
        remedy = "give it -o local_header_rewrite_clients= as in deploy/postfix/master.cf"
        yield Diagnosis(Level.WARNING, subject, text, remedy)
    if not listener.filters and not rewrites:
        yield Diagnosis(Level.OK, subject, "takes released mail as it is, and filters nothing")


def _with_tokens(listener: Listener) -> Iterator[Diagnosis]:
    """A token must pass us, for nobody else takes it out."""
    subject = f"Postfix {listener.name}"
    if listener.filters:
        yield Diagnosis(Level.OK, subject, "has released mail pass a milter, which takes its token out")
        return
    text = "filters nothing: released mail is delivered with its token in it"
    remedy = 'set [quarantine] release_by = "listener", or release = the port that filters'
    yield Diagnosis(Level.WARNING, subject, text, remedy)
