"""The closed vocabulary of metrics: what is counted, under which labels, in which cell of a row."""

from dataclasses import dataclass
from typing import Final, Literal

from filterd.model.report import Outcome
from filterd.model.verdict import Action

OTHER: Final = "other"  # a label value outside the vocabulary is counted here: rows have a fixed size
# Seconds; from what a warm message takes to the deadline.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SHARED_OUTCOMES: Final = ("hit", "miss", "late", "error")
POLICY_STATES: Final = ("CONNECT", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "OTHER")
POLICY_FAULTS: Final = ("protocol", "timeout", "crashed")
GATE_FAULTS: Final = ("late", "crashed")
ASKED_BY: Final = ("policy", "milter")
RULE_DEEDS: Final = ("suspended", "excused")
GREYLIST_RESULTS: Final = ("new", "early", "returned", "known", "excused", "spared")
RATE_RESULTS: Final = ("passed", "refused", "would_refuse")
GATES: Final = ("greylist", "limits")
INSPECTOR_KINDS: Final = ("busy", "died", "overran", "crashed", OTHER)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: `labels` with the values each may have; a histogram has BUCKETS, one more cell, and its sum.

    `common`: a fact about something that all processes share; the largest value counts, not the sum.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    common: bool = False


def families(checks: tuple[str, ...], lists: tuple[str, ...] = (), rates: tuple[str, ...] = ()) -> tuple[Family, ...]:
    """All metrics, for a daemon with these checks and rates and with block lists that are displayed so."""
    actions = tuple(str(action) for action in Action)
    outcomes = tuple(str(outcome) for outcome in Outcome)
    return (
        Family("filterd_messages", "counter", "Messages by what became of them.", (("action", actions),)),
        Family("filterd_eom_seconds", "histogram", "Wait at the end of a message."),
        Family(
            "filterd_checks",
            "counter",
            "Checks by outcome.",
            (("check", (*checks, OTHER)), ("outcome", outcomes)),
        ),
        Family("filterd_inspector_failures", "counter", "Messages not read, by why.", (("kind", INSPECTOR_KINDS),)),
        Family("filterd_custody_failures", "counter", "Messages that could not be stored and were deferred."),
        Family(
            "filterd_partial_holds",
            "counter",
            "Messages held for some of their recipients and delivered to the others, as filterd_messages has them.",
        ),
        Family("filterd_callback_crashes", "counter", "Exceptions that reached a milter callback."),
        Family("filterd_dns_questions", "counter", "DNS questions that messages asked."),
        Family("filterd_dns_wire_queries", "counter", "DNS questions that a front's own cache could not answer."),
        Family(
            "filterd_dns_shared",
            "counter",
            "Of them, those looked up in Redis: late ones and errors were asked on the wire without waiting.",
            (("outcome", SHARED_OUTCOMES),),
        ),
        Family("filterd_store_errors", "counter", "Store operations that failed."),
        Family("filterd_dnsbl_errors", "counter", "Answers of block lists that are no answers."),
        Family(
            "filterd_dnsbl_suspended",
            "gauge",
            "1 while a block list is not asked: mail is unprotected by it.",
            (("list", tuple(dict.fromkeys((*lists, OTHER)))),),
            common=True,
        ),
        Family(
            "filterd_rule_demotions",
            "counter",
            "YARA rules suspended for hitting too much mail, and rule files excused for taking too long.",
            (("deed", RULE_DEEDS),),
        ),
        Family(
            "filterd_greylist",
            "counter",
            "Recipients and messages whose score is one to be greylisted, by how they stood.",
            (("result", GREYLIST_RESULTS),),
        ),
        Family(
            "filterd_rate_limits",
            "counter",
            "Recipients by what a rate limit said.",
            (("rate", tuple(dict.fromkeys((*rates, OTHER)))), ("result", RATE_RESULTS)),
        ),
        Family(
            "filterd_gates_silent",
            "counter",
            "Recipients and messages that passed because shared state did not answer.",
            (("gate", (*GATES, OTHER)),),
        ),
        Family(
            "filterd_recipients",
            "counter",
            "Recipients judged before their content, by who asked and what was said (or would have been).",
            (("by", ASKED_BY), ("action", actions)),
        ),
        Family("filterd_policy_requests", "counter", "Policy requests by protocol_state.", (("state", POLICY_STATES),)),
        Family(
            "filterd_policy_failures",
            "counter",
            "Policy connections closed without an answer, by why.",
            (("kind", POLICY_FAULTS),),
        ),
        Family(
            "filterd_gate_failures",
            "counter",
            "Recipients that passed greylisting, limits or lists because these gave no answer, by why.",
            (("kind", GATE_FAULTS),),
        ),
        Family("filterd_policy_connections", "gauge", "Open connections of the policy service."),
        Family("filterd_sessions", "gauge", "Open SMTP sessions."),
        Family("filterd_inspectors", "gauge", "Inspectors that read mail or wait for it."),
        Family(
            "filterd_store_left_alone", "gauge", "Fronts that leave the shared store alone, for it does not answer."
        ),
        Family("filterd_serving", "gauge", "1 while mail is taken: from the first fronts to the stop."),
        Family("filterd_fronts", "gauge", "Front processes that serve."),
        Family("filterd_fronts_wanted", "gauge", "Front processes that are configured."),
        Family("filterd_loaded_timestamp_seconds", "gauge", "When configuration and rules were read, since the epoch."),
        Family("filterd_rules_timestamp_seconds", "gauge", "When a file of the rules was changed last."),
        Family("filterd_held_messages", "gauge", "Held messages that wait for somebody, as of a minute ago at most."),
        Family("filterd_releases_waiting", "gauge", "Releases that the MTA has put off and that are due."),
        Family("filterd_front_deaths", "counter", "Front processes that ended by themselves."),
        Family("filterd_reloads", "counter", "Reloads, by result.", (("result", ("ok", "failed")),)),
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each series lies in a row of doubles: `cells` by (name, label values); a histogram begins at its cell."""

    families: tuple[Family, ...]
    cells: dict[tuple[str, ...], int]
    width: int
    common: frozenset[int] = frozenset()

    @classmethod
    def of(cls, checks: tuple[str, ...], lists: tuple[str, ...] = (), rates: tuple[str, ...] = ()) -> "Layout":
        """The layout for a daemon with these checks, lists and rates."""
        known = families(checks, lists, rates)
        cells: dict[tuple[str, ...], int] = {}
        width = 0
        for family in known:
            for values in combinations(family):
                cells[(family.name, *values)] = width
                width += len(BUCKETS) + 2 if family.kind == "histogram" else 1
        common = {cells[(family.name, *values)] for family in known if family.common for values in combinations(family)}
        return cls(known, cells, width, frozenset(common))


def combinations(family: Family) -> list[tuple[str, ...]]:
    """Every combination of label values, in order."""
    found: list[tuple[str, ...]] = [()]
    for _, values in family.labels:
        found = [(*before, value) for before in found for value in values]
    return found
