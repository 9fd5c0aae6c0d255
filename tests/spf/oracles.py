"""Two other implementations of SPF, asked with our resolvers: pyspf and spftrace."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import spf
from spftrace import BaseResolver, Evaluator

from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from tests.spf.zones import NOW

RECEIVER: Final = "receiver.test"

Lookup: TypeAlias = Callable[[Question], Answer]


def ask_pyspf(lookup: Lookup, client: str, sender: str, helo: str) -> tuple[str, str]:
    """Result and explanation; the explanation is empty where there is none."""

    def answers(name: str, rtype: str, *_: object) -> list[tuple[tuple[str, str], Any]]:
        answer = lookup(_question(name, rtype))
        if answer.failed:
            raise spf.TempError("lookup failed")
        values: list[Any] = list(answer.records)
        if rtype == "TXT":
            values = [(record.encode("latin-1"),) for record in values]
        elif rtype == "MX":
            values = list(enumerate(values))
        return [((name, rtype), value) for value in values]

    with patch.object(spf, "DNSLookup", answers), patch.object(spf.time, "time", lambda: NOW):
        query = spf.query(i=client, s=sender, h=helo, receiver=RECEIVER)
        query.set_default_explanation("")
        status, _, explanation = query.check()
    return status, explanation if status == "fail" else ""


def ask_spftrace(lookup: Lookup, client: str, sender: str, helo: str) -> tuple[str, str | None]:
    """Result and explanation; None where it gives no explanation, as it does for every one that has a blank."""
    found = asyncio.run(Evaluator(_Resolver(lookup), receiver=RECEIVER).evaluate(client, sender, helo))
    return found.result, found.explanation


class _Resolver(BaseResolver):
    def __init__(self, lookup: Lookup) -> None:
        self._ask = lookup

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        answer = self._ask(_question(name, rtype))
        if answer.failed:
            return "TIMEOUT", []
        return "NXDOMAIN" if answer.status is AnswerStatus.NXDOMAIN else "NOERROR", list(answer.records)


def _question(name: str, rtype: str) -> Question:
    return Question(name.lower().removesuffix("."), RRType(rtype))
