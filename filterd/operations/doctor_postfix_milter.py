"""`filterd doctor --postfix` about the milter line: whether mail passes filterd, and what happens where it does not."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.config.listen import Listen, ListenKind
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_mta import COMMAND_MOST, Ours, Reader, check_socket, command_trouble, content_trouble
from filterd.operations.doctor_values import Service, same, seconds, service, target, words
from filterd.operations.postconf import Listener, Postfix

PROTOCOL: Final = 6  # of Postfix 2.6 and later: leading blanks of fields, and the macros that we ask for
LINE: Final = "smtpd_milters"
LOCAL: Final = "non_smtpd_milters"
NAME: Final = "filterd"  # an address with this in it is meant to be ours
_ACTIONS: Final = {
    "accept": (Level.FAILED, "mail passes unfiltered while filterd is down"),
    "quarantine": (Level.WARNING, "mail is taken and put on hold while filterd is down, and nobody looks at it then"),
    "reject": (Level.WARNING, "mail is refused for good while filterd is down, instead of coming later"),
}
_Trouble = Callable[[float, Ours], tuple[Level, str] | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A list of milters at one place."""

    at: Listener
    name: str

    @property
    def milters(self) -> tuple[Service, ...]:
        """They."""
        return tuple([service(one) for one in words(self.at.settings[self.name])])

    def find(self, ours: Listen) -> Service | None:
        """The one that is filterd."""
        base = self.at.settings["queue_directory"]
        return next((one for one in self.milters if same(ours, target(one.address, base, chroot=self.at.chroot))), None)

    def replaced(self, old: Callable[[Service], bool], new: Service) -> tuple[str, str]:
        """The setting with one of them replaced, or with one more."""
        found = [new if old(one) else one for one in self.milters]
        return self.name, ", ".join([one.text for one in (found if new in found else [*found, new])])


def recommended(ours: Ours, at: Listener) -> Service:
    """Us, as a milter line should have it at that place."""
    options = {"connect_timeout": "10s", "command_timeout": "30s", "content_timeout": f"{ours.content_seconds}s"}
    return Service(spelt(ours.milter, at), {**options, "default_action": "tempfail"})


def spelt(listen: Listen, at: Listener) -> str:
    """An address as Postfix must be told it there: in a chroot paths begin at the queue directory."""
    base = f"{at.settings['queue_directory']}/"
    if listen.kind is ListenKind.UNIX and at.chroot and listen.path.startswith(base):
        return f"unix:/{listen.path.removeprefix(base)}"
    return listen.postfix


def out_of_reach(listen: Listen, at: Listener) -> bool:
    """Whether a chroot bars the way to it."""
    return bool(listen.path) and at.chroot and not listen.path.startswith(f"{at.settings['queue_directory']}/")


def filtering(postfix: Postfix, ours: Ours) -> list[Listener]:
    """All listeners but the one that must not filter."""
    return [one for one in postfix.services if ours.tokens or not ours.release or one.port != ours.release]


def check_milters(postfix: Postfix, ours: Ours, reader: Reader | None) -> Iterator[Diagnosis]:
    """All listeners but the one for released mail, and what comes in by sendmail(1)."""
    wanted = filtering(postfix, ours)
    passing = [one for one in wanted if one.filters and Line(one, LINE).find(ours.milter)]
    found = [one for listener in wanted for one in _listener(listener, ours, reader)]
    yield from found
    if not passing and not any(one.level is Level.FAILED for one in found):
        remedy = postfix.main.change((LINE, recommended(ours, postfix.cleanup).text))
        yield Diagnosis(Level.FAILED, f"Postfix {LINE}", "no listener has mail pass filterd", remedy)
    yield from _programs(Line(postfix.cleanup, LOCAL), ours)


def _listener(listener: Listener, ours: Ours, reader: Reader | None) -> Iterator[Diagnosis]:
    subject, line = f"Postfix {listener.service}", Line(listener, LINE)
    milter = line.find(ours.milter)
    if not listener.filters:
        yield _unfiltered(listener, ours)
    elif milter is not None:
        yield Diagnosis(Level.OK, subject, "has mail pass filterd")
        if ours.milter.path:
            yield from check_socket("Postfix and [milter] listen", Path(ours.milter.path), reader, "[milter]")
        if listener.settings["smtpd_milter_maps"]:
            remedy = listener.change(("smtpd_milter_maps", ""))
            text = "names other filters, or none, for some clients: their mail may pass unfiltered"
            yield Diagnosis(Level.WARNING, listener.named("smtpd_milter_maps"), text, remedy)
        yield from _options(line, milter, ours)
    elif out_of_reach(ours.milter, listener):
        base = listener.settings["queue_directory"]
        text = f"runs in a chroot, from which {ours.milter.path} cannot be reached; a socket below {base} could be"
        remedy = listener.command("-F", f"{listener.service}/chroot=n")
        yield Diagnosis(Level.FAILED, subject, text, remedy)
    else:
        remedy = listener.change(line.replaced(lambda one: NAME in one.address, recommended(ours, listener)))
        named = ", ".join([one.address for one in line.milters])
        text = f"has mail pass {named}, and filterd listens on {spelt(ours.milter, listener)}"
        yield Diagnosis(Level.FAILED, subject, text, remedy)


def _unfiltered(listener: Listener, ours: Ours) -> Diagnosis:
    subject = f"Postfix {listener.service}"
    if listener.private:
        return Diagnosis(Level.OK, subject, "filters nothing, and only this host reaches it")
    if listener.settings[LINE]:
        left = ", ".join([one for one in listener.overrides if one != "no_milters"])
        remedy = listener.change(("receive_override_options", left))
        text = "has receive_override_options = no_milters: what comes in is not filtered"
    else:
        remedy = listener.change((LINE, recommended(ours, listener).text))
        text = "names no milter: what comes in is not filtered"
    level = Level.WARNING if listener.submission else Level.FAILED  # users of ours only: a site may want that
    return Diagnosis(level, subject, text, remedy)


def _programs(line: Line, ours: Ours) -> Iterator[Diagnosis]:
    """What programs of this host hand over; it needs no filter, but one that is named must be right."""
    milter = line.find(ours.milter)
    if milter is not None:
        yield from _options(line, milter, ours)
    elif any(NAME in one.address for one in line.milters):
        remedy = line.at.change(line.replaced(lambda one: NAME in one.address, recommended(ours, line.at)))
        text = f"does not name where filterd listens ({spelt(ours.milter, line.at)}): mail of this host waits"
        yield Diagnosis(Level.FAILED, line.at.named(LOCAL), text, remedy)
    else:
        yield Diagnosis(Level.OK, f"Postfix {LOCAL}", "what programs of this host send (sendmail(1)) is not filtered")


def _options(line: Line, milter: Service, ours: Ours) -> Iterator[Diagnosis]:
    """What holds between Postfix and us there."""
    setting = _Setting(line, milter)
    name = "default_action"
    level, text = _ACTIONS.get(setting.value(name), (Level.OK, "mail is deferred while filterd is down"))
    remedy = setting.change(name, "tempfail") if level is not Level.OK else ""
    yield Diagnosis(level, setting.subject(name), f"is {setting.value(name)}: {text}", remedy)
    limits: Mapping[str, tuple[_Trouble, int]] = {
        "connect_timeout": (_connect_trouble, 10),
        "command_timeout": (command_trouble, 30),
        "content_timeout": (content_trouble, ours.content_seconds),
    }
    for name, (trouble, better) in limits.items():
        wait = seconds(setting.value(name))
        found = trouble(wait, ours) if wait is not None else None
        if found is not None:
            yield Diagnosis(found[0], setting.subject(name), found[1], setting.change(name, f"{better}s"))
    protocol = setting.value("protocol").split("_")[0]
    if protocol.isascii() and protocol.isdigit() and int(protocol) < PROTOCOL:
        text = f"is {protocol}: filterd does not see how fields begin, and signatures that count that fail"
        yield Diagnosis(Level.WARNING, setting.subject("protocol"), text, setting.change("protocol", str(PROTOCOL)))


def _connect_trouble(wait: float, _ours: Ours) -> tuple[Level, str] | None:
    if wait < 1:
        return Level.WARNING, f"is {wait:g} s: a busy moment of this host defers mail"
    if wait > COMMAND_MOST:
        return Level.WARNING, f"is {wait:g} s: clients give up after 300 s"
    return None


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is set for one milter: in its braces, else for all."""

    line: Line
    milter: Service

    def value(self, name: str) -> str:
        return self.milter.options.get(name, self.line.at.settings[f"milter_{name}"])

    def subject(self, name: str) -> str:
        here = self.line
        return f"{here.at.named(here.name)} {name}" if name in self.milter.options else here.at.named(f"milter_{name}")

    def change(self, name: str, value: str) -> str:
        if name not in self.milter.options:
            return self.line.at.change((f"milter_{name}", value))
        return self.line.at.change(self.line.replaced(lambda one: one == self.milter, self.milter.having(name, value)))
