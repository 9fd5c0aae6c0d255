"""`filterd doctor` about giving mail back, and about recipients that are decided apart: what the MTA must be set to."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_values import words
from filterd.operations.postconf import Ask, Listener, PostconfError, Postfix, read_postfix
from filterd.quarantine.keys import KeyFileError, Keys

ORIGINAL: Final = "enable_original_recipient"
LOOPBACK: Final = ip_address("127.0.0.1")
_RESTRICTIONS: Final = (
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
)


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


def check_marks(keys: Keys, folder: Path) -> Iterator[Diagnosis]:
    """The same file where only marks need it, without which mail is released as well; no word where all is well."""
    found = check_keys(keys, folder)
    if found.level is not Level.OK:
        text = f"{found.text}: what aliases bring back after its release is held again"
        yield Diagnosis(Level.WARNING, f"keys of release marks {keys.path}", text, found.remedy)


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
        yield check_recipients(postfix)
    if port:
        yield from check_release(postfix, port, tokens=tokens)


def check_recipients(postfix: Postfix) -> Diagnosis:
    """A milter takes recipients out by the address that the client gave, which Postfix must have kept for aliases."""
    subject = f"Postfix {ORIGINAL}"
    if postfix.settings[ORIGINAL] == "no":
        text = "is no: a recipient that is an alias may not be found to be taken out, and get what is held for him"
        return Diagnosis(Level.FAILED, subject, text, postfix.main.change((ORIGINAL, "yes")))
    return Diagnosis(Level.OK, subject, "is yes, as policies for recipients need it")


def check_release(postfix: Postfix, port: int, *, tokens: bool) -> Iterator[Diagnosis]:
    """The listeners on that port: with tokens mail must pass us there, without it must pass nothing."""
    listeners = postfix.at(port)
    if not listeners:
        text = f"has no listener on port {port}: nothing can be released"
        remedy = "append deploy/postfix/master.cf to /etc/postfix/master.cf, or set [quarantine] release"
        yield Diagnosis(Level.WARNING, "Postfix", text, remedy)
    for listener in listeners:
        if tokens:
            yield _with_tokens(listener)
            continue
        found = [*_open(listener), *_altering(listener), *_refusing(listener)]
        well = Diagnosis(Level.OK, f"Postfix {listener.name}", "takes released mail as it is, and filters nothing")
        yield from found or [well]


def _open(listener: Listener) -> Iterator[Diagnosis]:
    """It is trusted because of where it is: nobody else may get there, or pass for somebody there."""
    subject = f"Postfix {listener.name}"
    if not listener.private:
        text = f"can be reached from other hosts: what they send to port {listener.port} is not filtered"
        remedy = f"in master.cf, write 127.0.0.1:{listener.port} in the place of {listener.name}"
        yield Diagnosis(Level.FAILED, subject, text, remedy)
    name = "smtpd_authorized_xclient_hosts"
    if listener.settings[name]:
        text = f"has {name} = {listener.settings[name]}: who connects there may pass for another host"
        yield Diagnosis(Level.WARNING, subject, text, listener.change_here((name, "")))


def _altering(listener: Listener) -> Iterator[Diagnosis]:
    """Nothing may filter there, and nothing be completed."""
    subject, settings = f"Postfix {listener.name}", listener.settings
    if listener.filters:
        text = "takes released mail, and has it filtered again: it would be held again"
        yield Diagnosis(Level.FAILED, subject, text, listener.change_here(("smtpd_milters", "")))
    if settings["content_filter"]:
        text = f"has released mail filtered by content_filter = {settings['content_filter']}"
        yield Diagnosis(Level.WARNING, subject, text, listener.change_here(("content_filter", "")))
    if settings["local_header_rewrite_clients"]:
        text = "completes what local clients send: what is released may be altered, and its signatures break"
        yield Diagnosis(Level.WARNING, subject, text, listener.change_here(("local_header_rewrite_clients", "")))
    checks = [name for name in ("header_checks", "body_checks") if settings[name]]
    if checks and "no_header_body_checks" not in listener.overrides:
        text = f"has released mail pass {' and '.join(checks)}: they may refuse or alter it"
        options = ",".join([*listener.overrides, "no_header_body_checks"])
        yield Diagnosis(Level.WARNING, subject, text, listener.change_here(("receive_override_options", options)))


def _refusing(listener: Listener) -> Iterator[Diagnosis]:
    """Whom it is from must not be refused there, or asked to come again."""
    subject, settings = f"Postfix {listener.name}", listener.settings
    if not _covers(settings["mynetworks"]):
        text = "does not take this host for one of its own (mynetworks): released mail may be refused"
        yield Diagnosis(Level.FAILED, subject, text, listener.change_here(("mynetworks", "127.0.0.0/8 [::1]/128")))
    asked = [name for name in _RESTRICTIONS if _asks_first(settings[name])]
    if asked:
        text = "asks a policy service about released mail, which may put it off"
        own = [(name, "permit_mynetworks, reject") for name in asked]
        yield Diagnosis(Level.WARNING, subject, text, listener.change_here(*own))


def _asks_first(restrictions: str) -> bool:
    """Whether clients of this host are asked about, too."""
    entries = words(restrictions)
    asked = entries.index("check_policy_service") if "check_policy_service" in entries else len(entries)
    return asked < len(entries) and "permit_mynetworks" not in entries[:asked]


def _covers(mynetworks: str) -> bool:
    """Whether loopback is in it; what cannot be read (tables of networks) is taken for well."""
    unread = False
    for word in words(mynetworks):
        try:
            network = ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            unread = True
            continue
        if network.is_loopback or (network.version == LOOPBACK.version and LOOPBACK in network):
            return True
    return unread


def _with_tokens(listener: Listener) -> Diagnosis:
    """A token must pass us, for nobody else takes it out."""
    subject = f"Postfix {listener.name}"
    if listener.filters:
        return Diagnosis(Level.OK, subject, "has released mail pass a milter, which takes its token out")
    text = "filters nothing: released mail is delivered with its token in it"
    remedy = 'set [quarantine] release_by = "listener", or release = the port that filters'
    return Diagnosis(Level.WARNING, subject, text, remedy)
