"""The JSON form of a scanned message. People script against these names: keep them."""

from collections.abc import Callable, Mapping
from typing import Any

from filterd.dmarc import Formerly, formerly
from filterd.model.authentication import ArcResult, DkimResult, DmarcResult, SpfResult
from filterd.model.dns import Answer, Question
from filterd.model.report import CheckReport
from filterd.model.verdict import ScoredSymbol, Verdict
from filterd.operations.scan import Scanned
from filterd.pipeline.results import disposition
from filterd.pipeline.shares import Share


def as_json(scanned: Scanned) -> dict[str, Any]:
    """One object: file, action, score, reason, reply, symbols, auth, checks, parts, recipients, shares.

    Where recipients have different policies, action and reason are what the MTA would be told of the message;
    `recipients` has what becomes of it for each, `shares` why.
    """
    verdict, transaction = scanned.verdict, scanned.transaction
    reply = verdict.reply
    inspection = transaction.inspection
    return {
        "file": scanned.file,
        "action": verdict.action.value,
        "score": verdict.score,
        "reason": {"code": verdict.code, "text": verdict.text},
        "reply": None if reply is None else f"{reply.code} {reply.enhanced} {reply.text}",
        "symbols": [_symbol(symbol) for symbol in verdict.symbols],
        "auth": auth(transaction.reports, verdict, transaction.lookups.answers.get),
        "checks": [
            {"name": report.check, "outcome": report.outcome.value, "ms": report.ms}
            for report in transaction.reports.values()
        ],
        "parts": [
            {
                "path": part.path,
                "content_type": part.content_type,
                "detected_type": part.detected_type,
                "filename": part.filename,
                "size": part.size,
                "sha256": part.sha256,
                "depth": part.depth,
                "encrypted": part.encrypted,
                "rules": list(part.rules),
            }
            for part in (inspection.parts if inspection else ())
        ],
        "recipients": {one.address: share.verdict.action.value for share in scanned.shares for one in share.recipients},
        "policy": verdict.policy,
        "shares": [_share(share) for share in scanned.shares] if len(scanned.shares) > 1 else [],
    }


def _share(share: Share) -> dict[str, Any]:
    verdict = share.verdict
    return {
        "policy": verdict.policy,
        "recipients": [one.address for one in share.recipients],
        "action": verdict.action.value,
        "score": verdict.score,
        "reason": {"code": verdict.code, "text": verdict.text},
    }


def _symbol(symbol: ScoredSymbol) -> dict[str, Any]:
    return {
        "name": symbol.finding.symbol,
        "score": round(symbol.weight, 3),
        "evidence": list(symbol.finding.evidence),
        "check": symbol.check,
    }


def auth(
    reports: Mapping[str, CheckReport], verdict: Verdict, answer: Callable[[Question], Answer | None]
) -> dict[str, Any]:
    """Results of authentication; `answer` gives what was answered to a question while the message was judged."""
    results = [result for report in reports.values() for result in report.auth_results]
    dmarc = next((result for result in results if isinstance(result, DmarcResult)), None)
    arc = next((result for result in results if isinstance(result, ArcResult)), None)
    spf = next((result for result in reversed(results) if isinstance(result, SpfResult)), None)
    return {
        "spf": None if spf is None else {"result": spf.status.value, "domain": spf.domain, "scope": spf.scope.value},
        "dkim": [
            {
                "result": result.status.value,
                "domain": result.domain,
                "selector": result.selector,
                "algorithm": result.algorithm,
                "key_bits": result.key_bits,
                "reason": result.reason,
            }
            for result in results
            if isinstance(result, DkimResult)
        ],
        "dmarc": None if dmarc is None else _dmarc(dmarc, verdict, formerly(dmarc, results, answer)),
        "arc": None if arc is None else {"result": arc.status.value, "instance": arc.instance},
    }


def _dmarc(result: DmarcResult, verdict: Verdict, old: Formerly | None) -> dict[str, Any]:
    done = disposition(result, verdict.action)
    return {
        "result": result.status.value,
        "domain": result.domain,
        "policy_domain": result.policy_domain,
        "policy": result.policy.value,
        "disposition": done.applied.value,
        "override": done.override.value,
        "comment": done.comment,
        # What RFC 7489 would have said, where it differs: why another server may have judged otherwise.
        "rfc7489": None
        if old is None
        else {"result": old.status.value, "policy": old.policy.value, "policy_domain": old.policy_domain},
    }
