"""local.cf and user_prefs of SpamAssassin: lists, networks and scores.

Both spellings of the lists are read (whitelist, welcomelist; blacklist, blocklist). Lines between `else` and `endif`
are left out; those behind `if` and `ifplugin` count. An `include` is not followed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from filterd.operations.importing import (
    LOOPBACK,
    Context,
    Fate,
    Found,
    ImportFailedError,
    Origin,
    lines_of,
    networks,
    recipient_entry,
    sender_entry,
    setting,
    unsafe,
    weight,
    without,
)
from filterd.operations.importing_symbols import SPAMASSASSIN
from filterd.ownlists import Which

REQUIRED: Final = 5.0  # points; required_score as it is shipped
TAGGED: Final = 6.0  # points; [actions] add_header as it is shipped: what required_score is there
_SCORES: Final = 4  # numbers of a score line: without and with network tests, without and with Bayes
_ALLOWED: Final = {
    "whitelist_from": "",
    "whitelist_auth": "",
    "whitelist_from_spf": "",
    "whitelist_from_dkim": "",
    "whitelist_from_rcvd": "the host behind it is not asked",
}
_RULES: Final = frozenset(
    {"header", "body", "rawbody", "full", "uri", "meta", "describe", "tflags", "priority", "mimeheader", "askdns"}
)
_REMOVED: Final = ("unwhitelist_", "unblacklist_")


def read(path: Path, context: Context) -> list[Found]:
    """All of a file, or of the *.cf in a folder in the order of their names. ImportFailedError."""
    files = sorted([*path.glob("*.cf"), *path.glob("user_prefs")]) if path.is_dir() else [path]
    if not files:
        raise ImportFailedError(f"{path}: expected local.cf, or a folder with *.cf such as /etc/mail/spamassassin")
    lines = [origin for file in files for origin in lines_of(file, file.name)]
    scale = TAGGED / _required(lines)
    found: list[Found] = []
    for origin in _active(lines):
        word, _, rest = origin.text.strip().partition(" ")
        found += _line(origin, _spelling(word.lower()), rest.split("#")[0].split(), context, scale, found)
    return found


def _required(lines: list[Origin]) -> float:
    for origin in lines:
        words = origin.text.split()
        if len(words) > 1 and words[0] in {"required_score", "required_hits"} and (points := _number(words[1])):
            return points if points > 0 else REQUIRED
    return REQUIRED


def _active(lines: list[Origin]) -> Iterator[Origin]:
    """Lines that say something, without those of the other branch of an if."""
    branches: list[bool] = []
    for origin in lines:
        words = origin.text.strip().split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        if words[0] in {"if", "ifplugin"}:
            branches.append(True)
        elif words[0] == "else" and branches:
            branches[-1] = False
        elif words[0] == "endif" and branches:
            branches.pop()
        elif all(branches):
            yield Origin(origin.file, origin.line, origin.text.replace("\t", " ").strip())


def _spelling(word: str) -> str:
    """The older of two names of the same."""
    return word.replace("welcomelist", "whitelist").replace("blocklist", "blacklist").removeprefix("def_")


def _line(
    origin: Origin, word: str, values: list[str], context: Context, scale: float, before: list[Found]
) -> Iterator[Found]:
    """What one line means."""
    if word in _ALLOWED:
        yield from _allowed(origin, word, values, context)
    elif word == "blacklist_from":
        yield from [sender_entry(origin, Which.BLOCK, value, context) for value in values]
    elif word in {"whitelist_to", "more_spam_to", "all_spam_to"}:
        note = (
            "takes 20 points off" if word != "all_spam_to" else "20 points off, not 100: malware is held all the same"
        )
        yield from [recipient_entry(origin, Which.ALLOW, value, note) for value in values]
    elif word == "blacklist_to":
        yield from [
            recipient_entry(origin, Which.BLOCK, value, "refuses, where it weighed 10 points") for value in values
        ]
    elif word.startswith(_REMOVED):
        yield _removed(origin, values, word, before, context)
    elif word in {"trusted_networks", "internal_networks", "msa_networks"}:
        yield from _networks(origin, word, values)
    elif word == "score":
        yield _score(origin, values, context, scale)
    else:
        yield _other(origin, word)


def _allowed(origin: Origin, word: str, values: list[str], context: Context) -> Iterator[Found]:
    note = _ALLOWED[word]
    if word == "whitelist_from_rcvd":
        yield from [sender_entry(origin, Which.ALLOW, value, context, note) for value in values[:1]]
        return
    if word == "whitelist_from_dkim" and len(values) > 1 and "@" not in values[1]:
        signer = values[1].lower().lstrip("*.")
        domain = values[0].rpartition("@")[2].lower().lstrip("*.")
        if signer != domain and not domain.endswith(f".{signer}"):
            yield unsafe(
                origin, f"a signature of {signer} proves nothing about {domain} here; domain:{signer} is all it signs"
            )
            return
        values = values[:1]
    yield from [sender_entry(origin, Which.ALLOW, value, context) for value in values]


def _removed(origin: Origin, values: list[str], word: str, before: list[Found], context: Context) -> Found:
    """A line that takes others back: it takes them out of what was found."""
    which = Which.ALLOW if "whitelist" in word else Which.BLOCK
    names = {sender_entry(origin, which, value, context).entry for value in values}
    gone = [one for one in before if one.which is which and one.entry in names]
    before[:] = [one for one in before if one not in gone]
    return without(origin, f"takes back {len(gone)} of the entries above, which are left out")


def _networks(origin: Origin, word: str, values: list[str]) -> Iterator[Found]:
    good, bad = networks(values)
    own = word == "msa_networks"
    why = (
        "clients of our own, trust class local"
        if own
        else "gateways of ours, whose Received fields are believed; hosts that submit mail belong into networks"
    )
    if good:
        yield setting(origin, ("trust", "networks" if own else "relays"), [*LOOPBACK, *good] if own else good, why)
    for text in bad:
        yield without(origin, f"{text}: expected a network; there are no exceptions (!) from one here")


def _score(origin: Origin, values: list[str], context: Context, scale: float) -> Found:
    numbers = [_number(value) for value in values[1:]]
    if not numbers or None in numbers or any(value.startswith("(") for value in values[1:]):
        return without(origin, "expected numbers: what is relative to a shipped score has no counterpart")
    points = numbers[-1] if len(numbers) == _SCORES else numbers[0]
    found = weight(origin, values[0], SPAMASSASSIN, (points or 0.0) * scale, context)
    if found.fate is not Fate.SETTING or not points:
        return found
    note = f"{points:g} times {scale:g}, for mail is tagged from 6 points on; {found.why}"
    return setting(origin, found.setting, found.value, note)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1_000 else None  # noqa: PLR2004  # no score is larger, and nan is none


def _other(origin: Origin, word: str) -> Found:
    why: dict[Callable[[str], bool], str] = {
        lambda one: one in _RULES: "a rule of yours: write it as an expression or a YARA rule (docs/rules.md)",
        lambda one: (
            one in {"required_score", "required_hits"}
        ): "[actions] has thresholds; the scores were brought to them",
        lambda one: one == "include": "not followed: import that file by itself",
        lambda one: "uri_host" in one or one.startswith("enlist_"): "hosts in links: an indicator (docs/rules.md)",
        lambda one: one.startswith(("bayes", "use_bayes")): "the classifier learns from your mail (docs/learning.md)",
        lambda one: one.startswith(("rewrite_header", "add_header", "report")): "filterd has fields of its own",
    }
    found = next((text for fits, text in why.items() if fits(word)), "neither a list, nor a network, nor a score")
    return without(origin, found)
