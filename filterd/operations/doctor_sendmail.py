"""`filterd doctor --sendmail`: what is wrong with the Sendmail in front of us, each with the line for sendmail.mc."""

import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from filterd.config.listen import ListenKind
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_mta import Ours, Reader, check_socket, command_trouble, content_trouble
from filterd.operations.doctor_sendmail_cf import Daemon, Filter, SendmailCf
from filterd.operations.doctor_values import same, target

NAME: Final = "filterd"
HEADERS: Final = "MaxHeadersLength"
HEADERS_DEFAULT: Final = 32_768  # bytes, where it is not set
HEADERS_MOST: Final = 65_535  # bytes of a packet to a milter: a longer field makes it fail, and F=T defers the mail
HEADERS_BEST: Final = 60_000
SIZE: Final = "MaxMessageSize"
_PORTS: Final = {"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465}
_Trouble = Callable[[float, Ours], tuple[Level, str] | None]


def examine(cf: SendmailCf, ours: Ours) -> Iterator[Diagnosis]:
    """Everything. Sendmail connects as the user of RunAsUser, which as shipped is root."""
    mine = next((one for one in cf.filters if same(ours.milter, target(one.socket))), None)
    if mine is None:
        yield _unnamed(cf, ours)
    else:
        yield from _filter(mine, ours)
        yield from _ports(cf, mine, ours)
    if ours.milter.path:
        yield from check_socket("Sendmail and [milter] listen", Path(ours.milter.path), _user(cf), "[milter]")
        yield from _safe(Path(ours.milter.path))
    if ours.release:
        yield from _release(cf, mine, ours)
    yield _headers(cf)
    yield _size(cf, ours)


def line(ours: Ours) -> str:
    """The line that has mail pass us, as sendmail.mc should have it."""
    kind, rest = ours.milter.libmilter.split(":", 1)
    socket = f"{'local' if ours.milter.kind is ListenKind.UNIX else kind}:{rest}"
    read, end = int(max(90.0, 1.5 * ours.deadline)), ours.content_seconds
    return f"INPUT_MAIL_FILTER(`{NAME}', `S={socket}, F=T, T=C:10s;S:30s;R:{read}s;E:{end}s')dnl"


def _user(cf: SendmailCf) -> Reader | None:
    return Reader.of(cf.options.get("RunAsUser", "").partition(":")[0] or "root")


def _unnamed(cf: SendmailCf, ours: Ours) -> Diagnosis:
    wrong = next((one for one in cf.filters if NAME in one.name or NAME in one.socket), None)
    text = "no filter listens where filterd does: mail passes unfiltered"
    if wrong is not None:
        text = f"filter {wrong.name} is at {wrong.socket}, and filterd listens on {ours.milter.libmilter}"
    return Diagnosis(Level.FAILED, "Sendmail filters", text, f"in sendmail.mc: {line(ours)}")


def _filter(mine: Filter, ours: Ours) -> Iterator[Diagnosis]:
    """What Sendmail does while we do not answer, and how long it waits."""
    subject, remedy = f"Sendmail filter {mine.name}", f"in sendmail.mc: {line(ours)}"
    if "T" in mine.flags:
        yield Diagnosis(Level.OK, subject, "has F=T: mail is deferred while filterd is down")
    elif "4" in mine.flags:
        yield Diagnosis(Level.OK, subject, "has F=4: clients are sent away for a while (421) while filterd is down")
    elif "R" in mine.flags:
        text = "has F=R: mail is refused for good while filterd is down, instead of coming later"
        yield Diagnosis(Level.WARNING, subject, text, remedy)
    else:
        text = "has no F=T: mail passes unfiltered while filterd is down"
        yield Diagnosis(Level.FAILED, subject, text, remedy)
    # R bounds each answer, the one at the end of a message too; E all that is between its end and the verdict.
    limits: Mapping[str, _Trouble] = {"S": command_trouble, "R": content_trouble, "E": content_trouble}
    for letter, trouble in limits.items():
        found = trouble(mine.waits[letter], ours)
        if found is not None:
            yield Diagnosis(found[0], f"{subject} T={letter}", found[1], remedy)


def _ports(cf: SendmailCf, mine: Filter, ours: Ours) -> Iterator[Diagnosis]:
    """Each port but the one for released mail must have mail pass us."""
    wanted = [one for one in cf.daemons if ours.tokens or not ours.release or _port(one) != ours.release]
    if not any(mine.name in _asked(one, cf) for one in wanted):
        text = f"no port has mail pass {mine.name}: it is defined (MAIL_FILTER) and not asked (InputMailFilters)"
        yield Diagnosis(Level.FAILED, "Sendmail filters", text, f"in sendmail.mc: {line(ours)}")
        return
    for daemon in wanted:
        names = _asked(daemon, cf)
        subject = f"Sendmail port {daemon.name} ({daemon.port})"
        if mine.name in names:
            yield Diagnosis(Level.OK, subject, "has mail pass filterd")
        elif daemon.private:
            yield Diagnosis(Level.OK, subject, "filters nothing, and only this host reaches it")
        else:
            text = f"has filters of its own, and {mine.name} is none of them: what comes in there passes unfiltered"
            level = Level.FAILED if _port(daemon) in {0, 25} else Level.WARNING
            listed = ";".join([*names, mine.name])
            yield Diagnosis(level, subject, text, f"in its DAEMON_OPTIONS of sendmail.mc: InputMailFilters={listed}")


def _asked(daemon: Daemon, cf: SendmailCf) -> tuple[str, ...]:
    """The filters that mail passes which comes in there."""
    return cf.asked if daemon.filters is None else daemon.filters


def _release(cf: SendmailCf, mine: Filter | None, ours: Ours) -> Iterator[Diagnosis]:
    """The port that takes released mail."""
    found = [one for one in cf.daemons if _port(one) == ours.release]
    options = f"Name=filterd-release, Family=inet, Addr=127.0.0.1, Port={ours.release}, InputMailFilters="
    remedy = f"in sendmail.mc: DAEMON_OPTIONS(`{options}')dnl"
    if not found:
        text = f"does not listen on port {ours.release}: nothing can be released"
        yield Diagnosis(Level.WARNING, "Sendmail", text, remedy)
    for daemon in found:
        subject = f"Sendmail port {daemon.name} ({daemon.port})"
        names = _asked(daemon, cf)
        if ours.tokens:
            yield _with_tokens(subject, passes=mine is not None and mine.name in names)
            continue
        wrong = list(_wrong(daemon, names))
        yield from [Diagnosis(Level.FAILED, subject, text, remedy) for text in wrong]
        if not wrong:
            yield Diagnosis(Level.OK, subject, "takes released mail, and filters nothing")


def _wrong(daemon: Daemon, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield "takes released mail, and has it filtered again: it would be held again"
    if not daemon.private:
        yield "can be reached from other hosts: what they send there is not filtered"


def _with_tokens(subject: str, *, passes: bool) -> Diagnosis:
    if passes:
        return Diagnosis(Level.OK, subject, "has released mail pass filterd, which takes its token out")
    remedy = 'set [quarantine] release_by = "listener", or release = the port that filters'
    text = "does not have mail pass filterd: released mail is delivered with its token in it"
    return Diagnosis(Level.WARNING, subject, text, remedy)


def _safe(path: Path) -> Iterator[Diagnosis]:
    """Sendmail takes no socket below a folder in which others could have put another one."""
    try:
        for folder in path.parents:
            mode = folder.stat().st_mode
            if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and folder.stat().st_gid != 0):
                text = f"Sendmail refuses it, for {folder} can be written to by others: no mail is taken"
                yield Diagnosis(Level.FAILED, "Sendmail and [milter] listen", text, f"chmod go-w {folder}")
    except OSError:
        return  # check_socket has said that it is not there


def _headers(cf: SendmailCf) -> Diagnosis:
    subject, value = f"Sendmail {HEADERS}", cf.options.get(HEADERS, "").partition("/")[0]
    most = int(value) if value.isascii() and value.isdigit() else HEADERS_DEFAULT
    remedy = f"in sendmail.mc: define(`confMAX_HEADERS_LENGTH', `{HEADERS_BEST}')dnl"
    if not most or most > HEADERS_MOST:
        text = f"is {most or 'not bounded'}: a field above {HEADERS_MOST} bytes fits into no packet, and is deferred"
        return Diagnosis(Level.WARNING, subject, f"{text} for days instead of refused", remedy)
    if most <= HEADERS_DEFAULT:
        text = f"is {most}: mail with many recipients or long chains of signatures is refused (552)"
        return Diagnosis(Level.WARNING, subject, text, remedy)
    return Diagnosis(Level.OK, subject, f"is {most}")


def _size(cf: SendmailCf, ours: Ours) -> Diagnosis:
    subject, value = f"Sendmail {SIZE}", cf.options.get(SIZE, "")
    most = int(value) if value.isascii() and value.isdigit() else 0
    if most and most <= ours.analysed:
        return Diagnosis(Level.OK, subject, f"is {most}: every message that is taken is read whole")
    text = f"is {most or 'not set'}: beyond {ours.analysed} bytes filterd reads no message whole, and holds it"
    remedy = f"in sendmail.mc: define(`confMAX_MESSAGE_SIZE', `{ours.analysed}')dnl"
    return Diagnosis(Level.WARNING, subject, text, remedy)


def _port(daemon: Daemon) -> int:
    """Its number; 0 for a name that is not common."""
    if daemon.port.isascii() and daemon.port.isdigit():
        return int(daemon.port)
    return _PORTS.get(daemon.port.lower(), 0)
