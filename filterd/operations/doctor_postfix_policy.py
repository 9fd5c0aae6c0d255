"""`filterd doctor --postfix` about the policy service: whether it is asked, where, and for how long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.config.listen import Listen
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_mta import Ours, Reader, check_socket
from filterd.operations.doctor_postfix_milter import NAME, filtering, out_of_reach, spelt
from filterd.operations.doctor_values import MARGIN_SECONDS, Service, same, seconds, service, target, words
from filterd.operations.postconf import Listener, Postfix

ASK: Final = "check_policy_service"
RECIPIENT: Final = "smtpd_recipient_restrictions"
RELAY: Final = "smtpd_relay_restrictions"
FIRST: Final = "smtpd_relay_before_recipient_restrictions"  # of Postfix 3.6 and later
TIMEOUT: Final = "smtpd_policy_service_timeout"
ACTION: Final = "smtpd_policy_service_default_action"
_EARLIER: Final = ("smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions")
_GUARDS: Final = frozenset({"reject_unauth_destination", "defer_unauth_destination"})
_ENDS: Final = frozenset({"permit", "reject", "defer"})  # behind one of them nothing is asked any more
_ARGUED: Final = ("check_", "reject_rbl_", "reject_rhsbl_", "permit_dnswl_", "permit_rhswl_")  # they have an argument
_OPENS: Final = frozenset({"OK", "PERMIT"})


@dataclass(frozen=True, slots=True)
class Asked:
    """Where one listener asks a policy service: the list, the service's place in it, and the service."""

    at: Listener
    setting: str
    place: int
    service: Service

    @property
    def entries(self) -> tuple[str, ...]:
        """The list without it."""
        found = words(self.at.settings[self.setting])
        return found[: self.place - 1] + found[self.place + 1 :]

    @property
    def before(self) -> tuple[str, ...]:
        """What stands in front of it there."""
        return words(self.at.settings[self.setting])[: self.place - 1]


def check_policy(postfix: Postfix, ours: Ours, reader: Reader | None) -> Iterator[Diagnosis]:
    """All listeners that strangers reach, and the sockets."""
    found = [asked for one in filtering(postfix, ours) for asked in _asked(one)]
    listen = ours.policy
    if listen is None:
        for asked in found:
            if NAME in asked.service.address:
                text = f"asks filterd at {asked.service.address}, and [policy] listen is empty: mail is deferred"
                remedy = f'in filterd.toml, [policy]: listen = "{asked.service.address}"'
                yield Diagnosis(Level.FAILED, asked.at.named(asked.setting), text, remedy)
        return
    mine = [asked for asked in found if _ours(asked, listen)]
    if mine and listen.path:
        yield from check_socket("Postfix and [policy] listen", Path(listen.path), reader, "[policy]")
    for asked in mine:
        yield from _order(asked, listen)
        yield from _patience(asked, ours)
    astray = [asked for asked in found if asked not in mine and _meant(asked, listen)]
    for asked in astray:
        yield _astray(asked, listen)
    if not mine and not astray:
        text = f"nobody asks the policy service at {spelt(listen, postfix.cleanup)}"
        at = _outside(postfix)
        yield Diagnosis(Level.WARNING, at.named(RECIPIENT), text, at.change((RECIPIENT, _behind(at, listen))))
    if mine and ours.early_milter:
        text = "is true, and Postfix asks the policy service too: rate limits count recipients twice"
        yield Diagnosis(Level.WARNING, "[early] milter", text, "in filterd.toml, [early]: milter = false")


def _outside(postfix: Postfix) -> Listener:
    """Where strangers come in; where nobody knows, what holds in main.cf."""
    open_ones = [one for one in postfix.services if not one.private and not one.submission]
    return open_ones[0] if open_ones else Listener(postfix.settings, folder=postfix.main.folder)


def _asked(listener: Listener) -> Iterator[Asked]:
    for setting in (*_EARLIER, RELAY, RECIPIENT):
        entries = words(listener.settings[setting])
        for place, entry in enumerate(entries):
            if place and entries[place - 1] == ASK:
                yield Asked(listener, setting, place, service(entry))


def _ours(asked: Asked, listen: Listen) -> bool:
    base = asked.at.settings["queue_directory"]
    return same(listen, target(asked.service.address, base, chroot=asked.at.chroot))


def _meant(asked: Asked, listen: Listen) -> bool:
    """Whether it was to be ours: by its name, or but for a chroot."""
    return NAME in asked.service.address or same(listen, target(asked.service.address))


def _order(asked: Asked, listen: Listen) -> Iterator[Diagnosis]:
    """Behind the guard against relaying, and before what ends the list."""
    subject, at = asked.at.named(asked.setting), asked.at
    if ends := [one for one in asked.before if one in _ENDS]:
        text = f"the policy service stands behind {ends[0]}: it is never asked"
        yield Diagnosis(Level.WARNING, subject, text, at.change((RECIPIENT, _behind(at, listen, asked))))
    elif _guarded(asked):
        yield Diagnosis(Level.OK, subject, "asks filterd about recipients that this host takes mail for")
    else:
        # We never say OK, so that this opens no relay; another service in this place could.
        text = (
            "asks the policy service before reject_unauth_destination: whoever looks for an open relay costs lookups"
            " and counts in greylisting and rate limits"
        )
        yield Diagnosis(Level.WARNING, subject, text, _moved(asked, listen))


def _guarded(asked: Asked) -> bool:
    """Whether a recipient that is none of ours has been refused before."""
    if any(one in _GUARDS for one in asked.before):
        return True
    return asked.setting == RECIPIENT and _relay_guards(asked.at)


def _relay_guards(at: Listener) -> bool:
    """Whether the list for relaying comes first, and ends with a refusal for all whom it does not permit."""
    return at.settings[FIRST] == "yes" and any(one in _GUARDS | _ENDS for one in words(at.settings[RELAY]))


def _moved(asked: Asked, listen: Listen) -> str:
    """The command that puts it behind the guard."""
    if asked.setting == RECIPIENT:
        return asked.at.change((RECIPIENT, _behind(asked.at, listen, asked)))
    return asked.at.change((asked.setting, ", ".join(asked.entries)), (RECIPIENT, _behind(asked.at, listen)))


def _behind(at: Listener, listen: Listen, old: Asked | None = None) -> str:
    """The restrictions on recipients with us behind the guard, which is put there where none is."""
    moves = old is not None and old.setting == RECIPIENT
    entries = list(old.entries if old is not None and moves else words(at.settings[RECIPIENT]))
    text = (old.service if old is not None else Service(spelt(listen, at))).text
    guards = [place for place, one in enumerate(entries) if one in _GUARDS]
    ends = [place for place, one in enumerate(entries) if one in _ENDS]
    place = guards[0] + 1 if guards else ends[0] if ends else len(entries)
    new = [f"{ASK} {text}"] if guards or _relay_guards(at) else ["reject_unauth_destination", f"{ASK} {text}"]
    return ", ".join(_joined([*entries[:place], *new, *entries[place:]]))


def _joined(entries: Sequence[str]) -> Iterator[str]:
    """Entries of a list, each with its argument."""
    kept = ""
    for one in entries:
        if kept.startswith(_ARGUED) and " " not in kept:
            kept = f"{kept} {one}"
        else:
            if kept:
                yield kept
            kept = one
    if kept:
        yield kept


def _patience(asked: Asked, ours: Ours) -> Iterator[Diagnosis]:
    """How long Postfix waits for an answer, and what it does without one."""
    own, at = asked.service.options, asked.at
    wait = seconds(own.get("timeout", at.settings[TIMEOUT]))
    if wait is not None and wait < ours.policy_timeout + MARGIN_SECONDS:
        text = f"is {wait:g} s, and a recipient may take {ours.policy_timeout:g} s ([policy] timeout): mail is deferred"
        remedy = _option(asked, "timeout", TIMEOUT, "100s")
        yield Diagnosis(Level.FAILED, at.named(asked.setting if "timeout" in own else TIMEOUT), text, remedy)
    action = own.get("default_action", at.settings[ACTION])
    if action.split(None, 1)[:1] and action.split(None, 1)[0].upper() in _OPENS:
        text = f"is {action}: while filterd is down recipients pass what stands behind it, unasked"
        remedy = _option(asked, "default_action", ACTION, "DUNNO")
        yield Diagnosis(Level.FAILED, at.named(asked.setting if "default_action" in own else ACTION), text, remedy)


def _option(asked: Asked, option: str, setting: str, value: str) -> str:
    """The command that sets it where it is set now."""
    if option not in asked.service.options:
        return asked.at.change((setting, value))
    entries = list(words(asked.at.settings[asked.setting]))
    entries[asked.place] = asked.service.having(option, value).text
    return asked.at.change((asked.setting, ", ".join(_joined(entries))))


def _astray(asked: Asked, listen: Listen) -> Diagnosis:
    """It is asked where nobody answers."""
    at = asked.at
    if out_of_reach(listen, at):
        text = f"runs in a chroot, from which {listen.path} cannot be reached"
        remedy = at.command("-F", f"{at.service}/chroot=n")
        return Diagnosis(Level.FAILED, f"Postfix {at.service}", text, remedy)
    entries = list(words(at.settings[asked.setting]))
    entries[asked.place] = Service(spelt(listen, at), asked.service.options).text
    text = f"asks {asked.service.address}, and the policy service listens on {spelt(listen, at)}: mail is deferred"
    return Diagnosis(
        Level.FAILED, at.named(asked.setting), text, at.change((asked.setting, ", ".join(_joined(entries))))
    )
