"""What a replay came to, beside what was decided then: as plain values, and in words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from filterd.model.custody import Evidence
from filterd.model.verdict import ScoredSymbol, Verdict
from filterd.operations.replay import Replayed

SHOWN: Final = 5  # questions without a recorded answer that are named to a person; all are counted
OWN: Final = "the site's own"  # what a policy without a name is called
_WIDTH: Final = 14  # columns of the words in front


def compared(evidence: Evidence, replayed: Replayed, config_id: str) -> dict[str, Any]:
    """One object. `config_id` is the present configuration's.

    `same`: action, reason, score, and every symbol with its weight are what they were.
    """
    before, after = evidence.verdict, replayed.verdict
    return {
        "id": evidence.id,
        "received": evidence.received,
        "same": _key(before) == _key(after),
        "before": _verdict(before),
        "after": _verdict(after),
        **_difference(before.symbols, after.symbols),
        "held_for": list(evidence.held_for or [one.address for one in evidence.envelope.recipients]),
        "policy": _ids(before.policy, after.policy),
        "shares": _shares(replayed),
        "configuration": _ids(evidence.config_id, config_id),
        "rules": _ids(evidence.rule_set, replayed.rules_id),
        **_lacking(replayed),
    }


def judged(name: str, replayed: Replayed, config_id: str) -> dict[str, Any]:
    """The same for a file, of which nothing is recorded."""
    return {
        "file": name,
        "after": _verdict(replayed.verdict),
        "shares": _shares(replayed),
        "symbols": [_symbol(symbol) for symbol in replayed.verdict.symbols],
        "configuration": {"now": config_id},
        "rules": {"now": replayed.rules_id},
        **_lacking(replayed),
    }


def _shares(replayed: Replayed) -> list[dict[str, Any]]:
    """What would become of it for whom, where not all of them have the same policy."""
    shares = replayed.shares if len(replayed.shares) > 1 else ()
    return [
        {"policy": share.verdict.policy, "recipients": [one.address for one in share.recipients]}
        | _verdict(share.verdict)
        for share in shares
    ]


def _key(verdict: Verdict) -> tuple[Any, ...]:
    symbols = Counter([(one.finding.symbol, one.check, one.weight, one.capped) for one in verdict.symbols])
    return verdict.action, verdict.code, verdict.text, verdict.score, symbols


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "action": verdict.action.value,
        "score": verdict.score,
        "reason": {"code": verdict.code, "text": verdict.text},
    }


def _symbol(symbol: ScoredSymbol) -> dict[str, Any]:
    return {
        "name": symbol.finding.symbol,
        "score": round(symbol.weight, 3),
        "check": symbol.check,
        "evidence": list(symbol.finding.evidence),
    }


def _difference(before: Sequence[ScoredSymbol], after: Sequence[ScoredSymbol]) -> dict[str, Any]:
    """Symbols by name: those that came, those that went, those that weigh something else in all."""
    then, now = _weights(before), _weights(after)
    return {
        "added": [_symbol(one) for one in after if one.finding.symbol not in then],
        "gone": [_symbol(one) for one in before if one.finding.symbol not in now],
        "changed": [
            {"name": name, "before": then[name], "after": now[name]}
            for name in then
            if name in now and then[name] != now[name]
        ],
    }


def _weights(symbols: Sequence[ScoredSymbol]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for one in symbols:
        sums[one.finding.symbol] = sums.get(one.finding.symbol, 0.0) + one.weight
    return {name: round(weight, 3) for name, weight in sums.items()}


def _ids(then: str, now: str) -> dict[str, Any]:
    return {"then": then, "now": now, "same": then == now}


def _lacking(replayed: Replayed) -> dict[str, Any]:
    return {
        "missing": [f"{question.name} {question.rtype.value}" for question in replayed.missing],
        "unrecorded": list(replayed.unrecorded),
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The same for a person. Texts are hostile: the caller makes them safe for a terminal."""
    if "before" not in found:
        yield _row("file", found["file"])
        yield _row("now", _told(found["after"]))
        yield from _shares_told(found["shares"])
        yield from (_line("", one) for one in found["symbols"])
    else:
        yield _row("message", found["id"])
        yield _row("then", _told(found["before"]))
        yield _row("now", _told(found["after"]))
        yield from _shares_told(found["shares"])
        if not found["policy"]["same"]:
            named = [found["policy"][when] or OWN for when in ("then", "now")]
            yield _row("policy", f"{named[0]} then, {named[1]} now")
        yield from (_line("+ ", one) for one in found["added"])
        yield from (_line("- ", one) for one in found["gone"])
        yield from (f"  ~ {one['name']}  {one['before']:+.2f} -> {one['after']:+.2f}" for one in found["changed"])
        if found["same"]:
            yield _row("", "the same verdict, score and symbols")
        yield from _ids_told(found)
    yield from _lacking_told(found)


def _row(name: str, text: str) -> str:
    return f"{name:<{_WIDTH}}{text}"


def _told(verdict: dict[str, Any]) -> str:
    reason = verdict["reason"]
    return f"{verdict['action']} ({verdict['score']:.2f}) {reason['code']}: {reason['text']}"


def _shares_told(shares: Sequence[dict[str, Any]]) -> Iterator[str]:
    for one in shares:
        yield f"  {', '.join(one['recipients'])} ({one['policy'] or OWN}): {_told(one)}"


def _line(sign: str, symbol: dict[str, Any]) -> str:
    seen = "; ".join(symbol["evidence"])
    return f"  {sign}{symbol['name']}  {symbol['score']:+.2f}  {seen}".rstrip()


def _ids_told(found: dict[str, Any]) -> Iterator[str]:
    for name in ("configuration", "rules"):
        ids = found[name]
        if not ids["same"]:
            yield _row(name, f"{ids['then']} then, {ids['now']} now")


def _lacking_told(found: dict[str, Any]) -> Iterator[str]:
    missing = found["missing"]
    if missing:
        named = f"{', '.join(missing[:SHOWN])}{', ...' if len(missing) > SHOWN else ''}"
        yield _row("not recorded", f"{len(missing)} answers ({named}): unknown here; --live asks for them")
    if found["unrecorded"]:
        yield _row("not recorded", f"{len(found['unrecorded'])} facts of the shared state: unknown here")
