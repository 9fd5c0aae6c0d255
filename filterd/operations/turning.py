"""What would have changed a verdict: which points, least actions and answers it hangs on. Pure, over plain values.

Points are counted as the verdict has them; thresholds, groups and least actions are today's. A symbol that goes makes
room for what its group's cap has cut. Composites that need it would go too: that is not looked into.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from filterd.model.verdict import Action
from filterd.pipeline.reasons import Reason

SHOWN: Final = 5  # symbols that are named
_UNKNOWN: Final = "-unknown"  # ends the code of a verdict that a check without an answer led to
_CAUSES: Final = frozenset(
    {
        Reason.INSPECTION_FAILED,
        Reason.CHECK_CRASHED,
        Reason.POISON,
        Reason.GREYLISTED,
        Reason.RATE_LIMITED,
        Reason.RECIPIENT,
        Reason.CUSTODY,
        Reason.DEFERRED_TOO_LONG,
        Reason.UNFILTERED,
    }
)


def turning(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What an explanation's verdict hangs on, each with its `kind`, `names`, `points` and the `action` that follows."""
    action = Action(found["observed"] or found["action"])
    code = found["reason"]["code"]
    scale = {Action(name): points for name, points in found["thresholds"].items()}
    alone = _by_points(found["score"], scale)
    floors = [one for one in found["symbols"] if one["floor"] and not one["replaced"]]
    deciding = [one for one in floors if Action(one["floor"]).rank >= action.rank]
    rest = max([alone, *[Action(one["floor"]) for one in floors if one not in deciding]], key=lambda one: one.rank)
    result = []
    if action is not Action.ACCEPT and code not in _CAUSES:
        if deciding:
            result.append(_row("floor", [one["name"] for one in deciding], 0.0, rest))
        if alone.rank >= action.rank:
            result.append(_less(found, action, scale))
        if not result and code.endswith(_UNKNOWN):
            result.append(_row("answer", [code.removesuffix(_UNKNOWN)], 0.0, rest))
        elif not result:
            result.append(_row("result", [code], 0.0, rest))
    elif code in _CAUSES:
        result.append(_row("cause", [code], 0.0, rest))
    if severer := [one for one in sorted(scale, key=lambda one: scale[one]) if one.rank > action.rank]:
        points = round(scale[severer[0]] - found["score"], 2)
        if points > 0:
            result.append(_row("more", [], points, severer[0]))
    return result


def words(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The same for a person."""
    for one in rows:
        names, action = _named(one["names"]), one["action"]
        match one["kind"]:
            case "floor":
                also = "" if len(rows) < 2 or rows[1]["kind"] != "points" else " (the points ask for as much)"  # noqa: PLR2004  # this one and another
                yield f"without {names}: {action}{also}"
            case "points":
                few = f"more than {one['points']:g} points less" if one["points"] else "any points less"
                which = "" if len(one["names"]) < 2 else "all of " if one["together"] else "any of "  # noqa: PLR2004  # several
                so = f"; so without {which}{names}" if names else ""
                yield f"{few}: {action}{so}"
            case "answer":
                yield f"an answer for {names}: {action}, by the points that were there"
            case "result":
                yield f"other than {names}, which [actions] asks about: {action}"
            case "cause":
                yield f"without {names}: {action}, by the points that are known"
            case "more":
                yield f"{one['points']:g} points more: {action}"


def _less(found: dict[str, Any], action: Action, scale: dict[Action, float]) -> dict[str, Any]:
    """By how much the points are above what the action needs, and the symbols that alone, or together, make it up."""
    margin = round(found["score"] - scale.get(action, min(scale.values())), 2)
    drops = sorted([(_drop(one, found["symbols"]), one["name"]) for one in found["symbols"]], reverse=True)
    single = [name for drop, name in drops if drop > margin]
    names, gone = list(single), 0.0
    for drop, name in drops if not single else ():
        if drop <= 0 or gone > margin:
            break
        gone += drop
        names.append(name)
    enough = bool(single) or gone > margin
    left = found["score"] - margin - 0.001
    row = _row("points", names if enough else [], margin, _by_points(left, scale))
    return row | {"together": not single}


def _drop(symbol: dict[str, Any], symbols: Sequence[dict[str, Any]]) -> float:
    """What the score loses without a symbol: what its group's cap has cut from others takes its place."""
    cut = sum([max(one["capped"], 0.0) for one in symbols if one is not symbol and one["group"] == symbol["group"]])
    return float(max(symbol["score"] - (cut if symbol["group"] else 0.0), 0.0))


def _by_points(score: float, scale: dict[Action, float]) -> Action:
    reached = [action for action, points in scale.items() if score >= points]
    return max(reached, key=lambda action: action.rank, default=Action.ACCEPT)


def _row(kind: str, names: Sequence[str], points: float, action: Action) -> dict[str, Any]:
    return {"kind": kind, "names": list(names), "points": points, "action": action.value, "together": True}


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
