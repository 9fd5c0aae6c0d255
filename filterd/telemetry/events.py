"""The closed vocabulary of log events, and the one line each message leaves."""

from collections.abc import Mapping, Sequence
from typing import Literal

from filterd.model.custody import JournalRow
from filterd.model.worded import Worded


class Event(Worded):
    """Every event filterd logs; `meaning` is for the operator who reads the line."""

    STARTED = "started", "the daemon listens; says address, processes, configuration and rule set"
    ENVIRONMENT = (
        "environment",
        "Python is older than a release that mends known holes, packages are not those of the lock, or root runs it",
    )
    STOPPING = "stopping", "told to stop: no new sessions, open ones may end"
    STOPPED = "stopped", "all processes have ended"
    DRAIN_CUT = "drain_cut", "sessions were still open when the time to end them was over; their messages are retried"
    RELOADED = "reloaded", "new fronts serve with the new configuration and rules"
    RESTARTING = "restarting", "the program begins anew in the same process; what serves goes on until it does"
    RESTART_FAILED = "restart_failed", "the program did not begin anew: it goes on as it was"
    RELOAD_FAILED = "reload_failed", "the new configuration or rules do not load: the old ones stay in place"
    FRONT_DIED = "front_died", "a front process ended by itself and is replaced"
    FRONT_FAILED = "front_failed", "a front process could not start or serve"
    NURSERY_DIED = "nursery_died", "the process that forks inspectors ended and is replaced"
    INSPECTOR_DIED = "inspector_died", "an inspector ended while it read a message"
    INSPECTOR_OVERRAN = "inspector_overran", "an inspector was killed at its deadline"
    INSPECTOR_REFUSED = "inspector_refused", "an inspector sent what it should not have: it was replaced"
    SANDBOX = "sandbox", "the confinement inspectors run under on this machine"
    POISON = "poison", "a message that ended two inspectors is held unread"
    MESSAGE = "message", "one message and what became of it"
    RECIPIENT = "recipient", "a recipient was refused before the content was sent, or would have been in observe mode"
    POLICY_FAILED = (
        "policy_failed",
        "a policy request could not be understood or was not complete in time: the connection was closed",
    )
    CALLBACK_CRASHED = (
        "callback_crashed",
        "our bug in a milter callback (the message is deferred) or in the policy service (which then says nothing)",
    )
    CHECK_CRASHED = "check_crashed", "our bug in a check: it counts as not made, never as passed"
    RULE_FILE_LEFT_OUT = "rule_file_left_out", "a YARA file does not compile and is not in use; the others are"
    RULE_SUSPENDED = (
        "rule_suspended",
        "a YARA rule hits a share of mail as no rule should: it is as in shadow for a while",
    )
    RULE_FILE_EXCUSED = (
        "rule_file_excused",
        "a YARA file took too long for several messages: for a while none is held for what this file leaves unsaid",
    )
    INDICATOR_EXPIRED = "indicator_expired", "an entry of indicators.toml is past its last day and does not count"
    STORE_UNAVAILABLE = (
        "store_unavailable",
        "the shared store does not answer: caches and counters are local until it does",
    )
    STORE_RETURNED = "store_returned", "the shared store answers again"
    RESOLVER_FAILING = "resolver_failing", "a name server does not answer: the others are asked first"
    RESOLVER_RETURNED = "resolver_returned", "a name server answers again"
    DNSBL_SUSPENDED = (
        "dnsbl_suspended",
        "a block list answers what no healthy list answers: it is not asked for a while",
    )
    DNSBL_RESUMED = "dnsbl_resumed", "a block list is asked again"
    DNSBL_DOUBTED = "dnsbl_doubted", "a block list lists nearly everybody: it is not believed until its test is done"
    DNSBL_BELIEVED = "dnsbl_believed", "it does not list what it must not: so many really are listed"
    DNSBL_KEEPER_CRASHED = "dnsbl_keeper_crashed", "our bug in keeping the block lists: what is known of them stays"
    CLAMD_FAILING = "clamd_failing", "clamd does not answer: messages are not scanned by it, which is said of each"
    CLAMD_RETURNED = "clamd_returned", "clamd answers again"
    ICAP_FAILING = "icap_failing", "the ICAP service does not answer: messages are not scanned by it; each says so"
    ICAP_RETURNED = "icap_returned", "the ICAP service answers again"
    CLASSIFIER_FAILED = "classifier_failed", "the classifier's model cannot be kept: messages are judged without it"
    CLASSIFIER_REBUILT = "classifier_rebuilt", "the model was of no use and was made anew from what is remembered"
    CLASSIFIER_WAITS = "classifier_waits", "the shared store does not answer: what is to be learnt waits for it"
    CLASSIFIER_BEHIND = (
        "classifier_behind",
        "this node was away for more lessons than the shared store keeps: it does not know what the others learnt then",
    )
    GREYLIST_RETURNED = (
        "greylist_returned",
        "a recipient was asked for again in time after it was greylisted before its content; says after how long",
    )
    RATE_LIMITED = (
        "rate_limited",
        "somebody has used up a rate and is told to come again, or would be in a dry run; once a minute for each",
    )
    CUSTODY_FAILED = "custody_failed", "a message could not be stored safely: the client was told to try again"
    JOURNAL_FAILED = "journal_failed", "rows of the journal could not be written"
    UPKEEP_FAILED = "upkeep_failed", "releases, expiry and sweeping of held mail failed this time; tried again soon"
    UPKEEP_DONE = "upkeep_done", "held mail was released, has expired or had its files removed; says how many"
    RELEASE_ENDED = (
        "release_ended",
        "a release that was put off has been delivered or has failed; says what the MTA said",
    )
    RELEASE_KEY_FAILED = "release_key_failed", "the keys of release tokens cannot be read: no token is believed"
    DIGEST_SENT = "digest_sent", "somebody was told what is held; says to how many, of what time, how many failed"
    DIGEST_FAILED = "digest_failed", "a digest of held mail could not be sent; says to whom, why, and what follows"
    OWN_LISTS_CHANGED = "own_lists_changed", "the allow and block lists are others now; says version and entries"
    OWN_LISTS_UNREAD = "own_lists_unread", "the allow and block lists cannot be read: the last good ones stay in force"
    OWN_LISTS_RESTORED = "own_lists_restored", "the shared state had lost the allow and block lists and has them again"
    CONTROL_ASKED = "control_asked", "somebody had the daemon reload or release, over its socket; says who and what"
    CONTROL_FAILED = "control_failed", "our bug, or no descriptors, in the daemon's own socket; mail goes on"
    DMARC_UNCOUNTED = "dmarc_uncounted", "what DMARC found cannot be counted for reports just now; mail goes on"
    METRICS_FAILED = "metrics_failed", "the metrics address cannot be served"
    BESIDE_FAILED = (
        "beside_failed",
        "a process beside the fronts (metrics, upkeep, control) cannot start; says which",
    )
    LOG_LINES_LOST = "log_lines_lost", "whoever reads the log did not: so many lines before this one are not there"
    LIBRARY = "library", "a warning of a library"


def message_event(  # one keyword for each thing the row does not hold
    row: JournalRow,
    *,
    trust: str,
    stages: Mapping[str, float],
    asked: int,
    wire: int,
    addresses: Literal["full", "domains"] = "full",
    shares: Sequence[JournalRow] = (),
) -> dict[str, object]:
    """The fields of the `message` event; `stages` in ms by name, `asked` DNS questions, `wire` of them sent out.

    With `addresses = "domains"` the local parts of sender and recipients are left out. `shares` are rows of a message
    that was shared out by policies.
    """
    whole = addresses == "full"
    fields: dict[str, object] = {
        "id": row.id,
        "queue_id": row.queue_id,
        "action": row.action,
        "code": row.code,
        "score": round(row.score, 2),
        "symbols": row.symbols,
        "client": row.client,
        "helo": row.helo,
        "sender": row.sender if whole else _domain(row.sender),
        "recipients": row.recipients if whole else tuple(map(_domain, row.recipients)),
        "size": row.size,
        "ms": round(row.ms, 1),
        "stages": {name: round(ms, 1) for name, ms in stages.items()},
        "dns": {"asked": asked, "wire": wire},
        "trust": trust,
    }
    if row.observed:
        fields["observed"] = row.observed
    if row.policy:
        fields["policy"] = row.policy
    if row.note:
        fields["note"] = row.note
    if shares:
        fields["shares"] = [_share(share, whole=whole) for share in shares]
    return fields


def _share(row: JournalRow, *, whole: bool) -> dict[str, object]:
    """What became of the message for the recipients with one policy."""
    return {
        "policy": row.policy,
        "action": row.action,
        "code": row.code,
        "id": row.id,
        "recipients": row.recipients if whole else tuple(map(_domain, row.recipients)),
        **({"observed": row.observed} if row.observed else {}),
    }


def _domain(address: str) -> str:
    return "@" + address.rpartition("@")[2] if "@" in address else ""
