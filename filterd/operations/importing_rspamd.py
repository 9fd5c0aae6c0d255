"""A folder of rspamd's configuration: multimap, the whitelist module, scores, thresholds, own networks.

Read are local.d and override.d; what rspamd ships is not the operator's. An entry of the lists is made of a map only
where rspamd itself refuses or lets pass by it: what weighs a few points there would do far more here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.operations.importing import (
    LOOPBACK,
    Context,
    Found,
    ImportFailedError,
    Origin,
    lines_of,
    network_entry,
    networks,
    recipient_entry,
    sender_entry,
    setting,
    weight,
    without,
)
from filterd.operations.importing_symbols import RSPAMD
from filterd.operations.importing_ucl import Pair, Table, parse
from filterd.ownlists import Which

REJECT: Final = 15.0  # points; rspamd's threshold as shipped
ALLOWS: Final = -5.0  # points from which on a map is there to let pass
MAX_MAPS: Final = 1_000  # files of maps
_FOLDERS: Final = ("local.d", "override.d")
_HOME: Final = "/etc/rspamd"
_VARIABLES: Final = re.compile(r"\$\{?(?:LOCAL_CONFDIR|CONFDIR)\}?")
_ACTIONS: Final = {"reject": "reject", "add_header": "add_header", "add header": "add_header", "greylist": "greylist"}
_KINDS: Final = {
    "url": "hosts in links: an indicator (docs/rules.md)",
    "content": "a pattern over the content: a rule (docs/rules.md)",
    "header": "a pattern over a field: a rule (docs/rules.md)",
    "filename": "names of files: the risky ones are known, others are a rule (docs/rules.md)",
    "hostname": "a client's name proves nothing: name its network, or its authenticated domain",
    "helo": "a HELO name proves nothing: name the client's network",
    "dnsbl": "a list that is asked by DNS: rules/dnsbl.toml",
    "country": "filterd does not ask where an address is",
    "asn": "filterd does not ask whose network an address is in",
    "received": "earlier hosts: [trust] relays, and the received lists of rules/dnsbl.toml",
}
_FILES: Final = {
    "rbl.conf": "lists are in rules/dnsbl.toml",
    "surbl.conf": "lists are in rules/dnsbl.toml",
    "greylist.conf": "[greylist], docs/greylisting.md",
    "ratelimit.conf": "[rates], docs/limits.md",
    "settings.conf": "[policies] decide otherwise for some recipients, docs/policies.md",
    "dkim_signing.conf": "filterd does not sign mail",
    "arc.conf": "filterd does not seal mail",
    "redis.conf": "[redis] url",
    "antivirus.conf": "[clamd] and [icap]",
    "classifier-bayes.conf": "the classifier learns from your mail, docs/learning.md",
    "composites.conf": "composites.toml, docs/rules.md",
    "force_actions.conf": "[actions] and floors, docs/rules.md",
    "milter_headers.conf": "filterd has fields of its own",
}


@dataclass(frozen=True, slots=True)
class _Map:
    """A map of multimap or of the whitelist module: which list it means, how its values are read, what weighs it."""

    which: Which
    kind: str  # ip, from, rcpt
    domains: str  # "", "domain", "below"
    note: str


def read(path: Path, context: Context) -> list[Found]:
    """All of it. ImportFailedError."""
    return list(_Import(path, context).found())


class _Import:
    def __init__(self, path: Path, context: Context) -> None:
        self._root = path.parent if path.name in _FOLDERS else path
        self._context = context
        self._files = [
            file for folder in _FOLDERS for file in sorted((self._root / folder).glob("*")) if file.is_file()
        ]
        if not self._files:
            raise ImportFailedError(f"{path}: expected rspamd's folder, with local.d in it, such as {_HOME}")
        self._tables: dict[Path, Table] = {}
        self._reject = REJECT
        self._scores: dict[str, float] = {}
        self._read = 0

    def found(self) -> Iterator[Found]:
        """In the order of the files."""
        for file in self._files:
            if file.suffix == ".conf" or file.name == "options.inc":  # other .inc are maps, or the workers' own
                text = "\n".join([origin.text for origin in lines_of(file, self._shown(file))])
                self._tables[file] = parse(text, self._shown(file))
        for file, table in self._tables.items():
            self._note_scores(file, table)
        for file in self._files:
            yield from self._file(file, self._tables.get(file))

    def _note_scores(self, file: Path, table: Table) -> None:
        """What multimap needs of other files: the threshold of refusing, and weights of symbols."""
        if file.name == "actions.conf" and (value := _number(table.text("reject"))):
            self._reject = value
        for name, _, points in _weights(table):
            self._scores[name] = points

    def _file(self, file: Path, table: Table | None) -> Iterator[Found]:
        readers = {
            "multimap.conf": self._multimap,
            "whitelist.conf": self._whitelist,
            "actions.conf": self._actions,
            "options.inc": self._options,
        }
        origin = Origin(self._shown(file), 0, file.name)
        if table is None:
            return  # a map: read where it is named
        if file.name in readers:
            yield from readers[file.name](file, table)
        elif "group" in file.name or file.name in {"metrics.conf", "scores.conf"}:
            yield from self._symbols(file, table)
        else:
            yield without(origin, _FILES.get(file.name, "has no counterpart, or one in another form"))

    def _multimap(self, file: Path, table: Table) -> Iterator[Found]:
        for pair in table.tables():
            rule = pair.value
            if not isinstance(rule, Table):
                continue
            meant = self._meant(pair.key, rule)
            if isinstance(meant, str):
                yield without(self._at(file, pair), meant)
            else:
                yield from self._values(self._at(file, pair), rule.texts("map") + rule.texts("maps"), meant)

    def _meant(self, name: str, rule: Table) -> _Map | str:
        """What a rule of multimap is here; in words why it is nothing."""
        kind, how = rule.text("type"), rule.text("filter")
        if rule.text("enabled").lower() == "false":
            return "is turned off"
        if rule.text("regexp").lower() == "true" or rule.text("glob").lower() == "true":
            return "regular expressions and globs: a rule (docs/rules.md)"
        if kind == "header" and rule.text("header").lower() == "from" and how.startswith("email"):
            kind = "from"
        if kind not in {"ip", "from", "rcpt"}:
            return _KINDS.get(kind, f"type {kind!r} has no counterpart")
        if rule.get("require_symbols") is not None:
            return "counts only together with other symbols: a composite (docs/rules.md)"
        which, note = self._list_of(name, rule)
        if which is None:
            return note
        domains = "below" if "tld" in how else "domain" if how.endswith("domain") else ""
        return _Map(which, kind, domains, note)

    def _list_of(self, name: str, rule: Table) -> tuple[Which | None, str]:
        """The list that it is of, with what is to be known; None and why where it is of none."""
        action = rule.text("action").lower()
        symbol = rule.text("symbol") or name
        points = _number(rule.text("score"))
        points = self._scores.get(symbol, 0.0) if points is None else points
        if action == "accept":
            return Which.ALLOW, "never past the search for malware"
        if action == "reject":
            return Which.BLOCK, "refused there too"
        if action:
            return (
                None,
                f"action {action!r} is none of a list here: it refuses or lets pass; [actions] and policies decide",
            )
        if points >= self._reject:
            return Which.BLOCK, f"{symbol} weighs {points:g} there, which refuses"
        if points <= ALLOWS:
            return Which.ALLOW, f"{symbol} weighs {points:g} there, 20 points off here"
        return None, f"{symbol} weighs {points:g} there: an entry here refuses, or takes 20 points off"

    def _whitelist(self, file: Path, table: Table) -> Iterator[Found]:
        """Domains that must have proved themselves: what an allow entry asks for, too."""
        rules = [pair.value for pair in table.pairs if pair.key == "rules" and isinstance(pair.value, Table)] or [table]
        for pair in [one for rules_table in rules for one in rules_table.tables()]:
            rule = pair.value
            if not isinstance(rule, Table):
                continue
            if rule.text("blacklist").lower() == "true":
                yield without(
                    self._at(file, pair), "fails where the domain does not prove itself: DMARC, [actions] on_result"
                )
                continue
            points = _number(rule.text("score")) or self._scores.get(pair.key, 0.0)
            if points > ALLOWS:
                text = (
                    f"{pair.key} weighs {points:g} there, an allow entry takes 20 points off: add those that you mean"
                )
                yield without(self._at(file, pair), text)
                continue
            note = f"{pair.key} weighs {points:g} there, 20 points off here"
            meant = _Map(Which.ALLOW, "from", "domain", note)
            yield from self._values(self._at(file, pair), rule.texts("domains"), meant)

    def _values(self, origin: Origin, sources: list[str], meant: _Map) -> Iterator[Found]:
        """What stands in maps, or in the rule itself."""
        if not sources:
            yield without(origin, "names no map")
        for source in sources:
            if not _is_path(source):
                yield self._value(Origin(origin.file, origin.line, source), source, meant)
                continue
            path = self._path(source)
            self._read += 1
            if path is None or not path.is_file() or self._read > MAX_MAPS:
                yield without(origin, f"{source}: no file here; what is fetched from elsewhere is not")
                continue
            for line in lines_of(path, self._shown(path)):
                text = line.text.split("#")[0].strip()
                if text:
                    yield self._value(line, text.split()[0].strip('",'), meant)

    def _value(self, origin: Origin, text: str, meant: _Map) -> Found:
        if text.startswith(("/", "!")):
            return without(origin, "a pattern or an exception: has no counterpart in a list")
        if meant.kind == "ip":
            return network_entry(origin, meant.which, text, meant.note)
        if meant.domains and "@" not in text:
            text = f"*@*.{text.lstrip('.')}" if meant.domains == "below" else f"*@{text}"
        if meant.kind == "rcpt":
            return recipient_entry(origin, meant.which, text, meant.note)
        return sender_entry(origin, meant.which, text, self._context, meant.note)

    def _actions(self, file: Path, table: Table) -> Iterator[Found]:
        for pair in table.pairs:
            points = _number(pair.value if isinstance(pair.value, str) else "")
            if pair.key in _ACTIONS and points is not None and points > 0:
                why = "the same thresholds: filterd counts in rspamd's points"
                yield setting(self._at(file, pair), ("actions", _ACTIONS[pair.key]), points, why)
            else:
                yield without(self._at(file, pair), "none of accept, add_header, greylist, quarantine, reject")

    def _options(self, file: Path, table: Table) -> Iterator[Found]:
        for pair in table.pairs:
            if pair.key not in {"local_addrs", "local_networks"}:
                continue
            texts = [text.strip() for value in table.texts(pair.key) for text in value.split(",")]
            good, bad = networks([text for text in texts if not _is_path(text)])
            if good:
                why = "clients of our own, trust class local; only those that no stranger's mail comes from"
                yield setting(self._at(file, pair), ("trust", "networks"), [*LOOPBACK, *good], why)
            for text in bad:
                yield without(self._at(file, pair), f"{text}: expected a network")

    def _symbols(self, file: Path, table: Table) -> Iterator[Found]:
        for name, line, points in _weights(table):
            origin = Origin(self._shown(file), line, f"{name} {points:g}")
            yield weight(origin, name, RSPAMD, points, self._context)

    def _path(self, source: str) -> Path | None:
        """A map's file, also where the folder was copied from elsewhere; None for what is no file."""
        text = _VARIABLES.sub(_HOME, source.rpartition(";")[2].removeprefix("fallback+").removeprefix("file://"))
        if "://" in text:
            return None
        inside = self._root / text.removeprefix(f"{_HOME}/") if text.startswith(f"{_HOME}/") else Path(text)
        return inside if inside.is_file() else Path(text)

    def _at(self, file: Path, pair: Pair) -> Origin:
        value = pair.value if isinstance(pair.value, str) else "{ }" if isinstance(pair.value, Table) else "[ ]"
        return Origin(self._shown(file), pair.line, f"{pair.key} {value}")

    def _shown(self, file: Path) -> str:
        return str(file.relative_to(self._root)) if file.is_relative_to(self._root) else str(file)


def _weights(table: Table, depth: int = 0) -> Iterator[tuple[str, int, float]]:
    """Symbols with the lines and the weights they have, in groups too."""
    for pair in table.tables():
        inner = pair.value
        if not isinstance(inner, Table):
            continue
        points = _number(inner.text("weight") or inner.text("score"))
        if points is not None and pair.key.upper() == pair.key:
            yield pair.key, pair.line, points
        elif depth < 4:  # noqa: PLR2004  # group, name, symbols, symbol
            yield from _weights(inner, depth + 1)


def _is_path(text: str) -> bool:
    return text.startswith(("/", "$", "file:", "fallback+", "http://", "https://")) or ";/" in text or "://" in text


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 100_000 else None  # noqa: PLR2004  # nan and what is no weight
