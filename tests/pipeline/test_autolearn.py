"""What may be learnt without anybody having said what it is."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from filterd.config.root import shipped_rules
from filterd.model.authentication import DmarcResult, DmarcStatus
from filterd.model.inspection import Classified, Inspection
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.session import TrustClass
from filterd.model.store import StoreError
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.autolearn import DAILY, Autolearn, Bounds, Offer, offered
from filterd.pipeline.case import Case
from filterd.score import load_scores, score
from filterd.store import MemoryStore

RULES = load_scores(shipped_rules() / "scores.toml")
BOUNDS = Bounds(12.0, 1.0)
SPAM = {"dnsbl": ["DNSBL_SPAMHAUS_SBL", "DNSBL_SPAMHAUS_XBL"], "uribl": ["URIBL_DBL_SPAM"]}
HAM: dict[str, list[str]] = {"dkim": ["DKIM_PASS"]}


def case(found: dict[str, list[str]], probability: float, client: str = "11.22.33.44", domain: str = "x.test") -> Case:
    """A finished message with these findings, of which the classifier thinks so."""
    reports = {
        name: CheckReport(name, Outcome.OK, tuple([Finding(symbol) for symbol in symbols]))
        for name, symbols in found.items()
    }
    passed = DmarcResult(DmarcStatus.PASS, domain)
    reports["dmarc"] = CheckReport("dmarc", Outcome.OK, auth_results=(passed,) if domain else ())
    return Case(
        now=1_767_268_800.0,
        client=client,
        sender=f"a@{domain}",
        trust=TrustClass.STRANGER,
        inspection=Inspection(classified=Classified(0.0, probability)),
        reports=reports,
        rules=RULES,
        score=score(list(reports.values()), RULES),
        verdict=Verdict(Action.ACCEPT, "none", "nothing"),
        digest=b"d" * 32,
        features=b"f",
    )


def test_where_all_agree_a_message_is_offered() -> None:
    """Spam to everybody else that looks like spam, and the same with ham, with the sources behind it."""
    spam, ham = offered(case(SPAM, 0.95), BOUNDS), offered(case(HAM, 0.05), BOUNDS)
    assert spam is not None
    assert ham is not None
    assert (spam.spam, ham.spam, len(spam.sources)) == (True, False, 2)
    assert spam.sources == ham.sources


@pytest.mark.parametrize(
    "doubtful",
    [
        case(SPAM, 0.5),  # the classifier is in doubt
        case(SPAM, 0.05),  # it disagrees
        case(HAM, 0.95),
        case(SPAM, 0.99999),  # it has nothing to learn
        case(HAM, 0.00001),
        case({"dnsbl": SPAM["dnsbl"]}, 0.95),  # not enough speaks against it
        case({"clamd": ["CLAMD_VIRUS"]}, 0.95),  # one check alone
        case({"classifier": ["CLASSIFIER_SPAM_HIGH"], "dnsbl": SPAM["dnsbl"]}, 0.95),  # its own opinion counts nothing
        case({"content": ["UNSCANNABLE_SIZE"]}, 0.05),  # not read whole
        case(HAM, 0.05, client="10.0.0.1"),  # nobody is behind it
        replace(case(HAM, 0.05), trust=TrustClass.AUTHENTICATED),
        replace(case(HAM, 0.05), features=b""),
        replace(case(HAM, 0.05), inspection=Inspection()),
        replace(case(HAM, 0.05), verdict=Verdict(Action.DEFER, "x", "x")),  # it will come again
        replace(case(HAM, 0.05), verdict=Verdict(Action.ACCEPT, "x", "x", observed=Action.DEFER)),
        replace(case(HAM, 0.05), reports={"dnsbl": CheckReport("dnsbl", Outcome.UNKNOWN)}),
    ],
)
def test_in_doubt_nothing_is_learnt(doubtful: Case) -> None:
    """Every guard by itself keeps a message out."""
    assert offered(doubtful, BOUNDS) is None


class Queue:
    """Keeps what is put into it, or says that it is full."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.items: list[Offer] = []
        self.closed = False

    def put(self, items: Sequence[bytes]) -> int:
        """As Inbox."""
        self.items += [msgspec.msgpack.decode(item, type=Offer) for item in items]
        return 0

    def close(self) -> None:
        """As Inbox."""
        self.closed = True


class NoStore(MemoryStore):
    """A store that does not answer."""

    def add(self, key: str, amount: int, ttl: int) -> int:  # noqa: ARG002  # the protocol's arguments
        """Never."""
        raise StoreError("down")


def test_one_source_teaches_little() -> None:
    """A network, and a domain from many networks, get a few messages a day each, at all fronts together."""
    queue, store = Queue(), MemoryStore()
    fronts = [Autolearn(queue, store, BOUNDS) for _ in range(2)]
    for number in range(2 * DAILY):
        fronts[number % 2].saw(case(HAM, 0.05, domain=f"d{number}.test"))
        fronts[number % 2].flush()
    assert len(queue.items) == DAILY
    for number in range(2 * DAILY):
        fronts[0].saw(case(HAM, 0.05, client=f"11.{number}.0.1", domain="one.test"))
    fronts[0].flush()
    assert len(queue.items) == 2 * DAILY
    fronts[0].saw(replace(case(HAM, 0.05), now=1_767_268_800.0 + 86_400))
    fronts[0].flush()
    assert len(queue.items) == 2 * DAILY + 1
    for front in fronts:
        front.close()
    assert queue.closed


def test_without_a_store_nothing_is_learnt() -> None:
    """Who cannot count what a source has taught does not let it teach."""
    queue = Queue()
    front = Autolearn(queue, NoStore(), BOUNDS)
    front.saw(case(HAM, 0.05))
    front.close()
    assert queue.items == []
