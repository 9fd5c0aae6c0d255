"""The chain with its keys: what passes, what fails, and what nobody knows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from filterd.arc import MAX_KEYS, MAX_SETS, Unverified, Verified, evaluate
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.model.authentication import ArcFacts, ArcResult, ArcStatus
from tests.arc.chains import LIST, MESSAGE, RECORDS, craft, facts_of, judge, seal
from tests.support.signing import ED25519_SEED, RSA_1024, RSA_2048, key_record

TWO = seal(MESSAGE, LIST, "forward.example")
KEY = f"s._domainkey.{LIST}"


def result(message: bytes, *, fail: tuple[str, ...] = (), records: Mapping[str, list[str]] = {}) -> ArcResult:
    """The outcome of a chain of which one is known."""
    found = judge(message, fail=fail, records=records)
    assert isinstance(found, Verified)
    return found.result


def test_a_chain_that_passes() -> None:
    """Its sealers from the newest down, and who brought it."""
    found = complete(evaluate(facts_of(TWO), "192.0.2.1"), FakeResolver(txt=RECORDS).lookup)
    assert found == Verified(ArcResult(ArcStatus.PASS, 2, ("forward.example", LIST), "", "192.0.2.1"))


def test_the_oldest_pass_of_one_set() -> None:
    """RFC 8617, section 5.2, step 5: zero where all message signatures verify; unknown where not all were looked at."""
    assert result(seal(MESSAGE, LIST)).oldest_pass == 0
    assert result(TWO).oldest_pass is None


def test_no_chain_asks_nothing() -> None:
    """Nor does one that is settled."""
    resolver = FakeResolver()
    for message, status in ((MESSAGE, ArcStatus.NONE), (TWO + b"more\r\n", ArcStatus.FAIL)):
        found = complete(evaluate(facts_of(message)), resolver.lookup)
        assert isinstance(found, Verified)
        assert (found.result.status, found.result.sealers) == (status, ())
    assert resolver.asked == []


def test_only_the_newest_message_signature_counts() -> None:
    """What a list changes between two seals breaks the older one, as it should (RFC 8617, section 5.2, step 4)."""
    changed = seal(MESSAGE, LIST).replace(b"Hello", b"Hello\r\n-- \r\na list")
    assert result(changed).status is ArcStatus.FAIL
    assert result(seal(changed, "forward.example")).status is ArcStatus.PASS


@pytest.mark.threat("AUTH-15")
def test_every_seal_counts() -> None:
    """RFC 8617, section 5.2, step 6."""
    for domain, name in ((LIST, "ARC-Seal i=1"), ("forward.example", "ARC-Message-Signature i=2")):
        resolver = FakeResolver(txt={**RECORDS, f"s._domainkey.{domain}": [key_record(RSA_2048)]})
        verified = complete(evaluate(facts_of(TWO)), resolver.lookup)
        assert isinstance(verified, Verified)
        found = verified.result
        assert (found.status, found.cause) == (ArcStatus.FAIL, f"{name}: signature did not verify")
        assert found.sealers == ("forward.example", LIST)


@pytest.mark.parametrize(
    ("records", "expected"),
    [([], "no key"), (["v=DKIM1; p="], "key revoked"), ([key_record(ED25519_SEED)], "key is of another type than a=")],
)
def test_keys_that_verify_nothing(records: list[str], expected: str) -> None:
    """The chain fails with the reason that DKIM has for it."""
    found = result(seal(MESSAGE, LIST), records={"list": records})
    assert (found.status, found.cause) == (ArcStatus.FAIL, f"ARC-Message-Signature i=1: {expected}")


@pytest.mark.parametrize("form", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
@pytest.mark.parametrize("key", [RSA_1024, RSA_2048, ED25519_SEED], ids=["rsa1024", "rsa2048", "ed25519"])
def test_forms_and_keys(form: str, key: bytes) -> None:
    """Everything that a DKIM signature may be made with."""
    message = craft(MESSAGE, message_tags={"c": form}, key_pem=key)
    assert result(message, records={"list": [key_record(key)]}).status is ArcStatus.PASS
    changed = message.replace(b"Subject: s", b"Subject: t")
    assert (
        result(changed, records={"list": [key_record(key)]}).cause
        == "ARC-Message-Signature i=1: signature did not verify"
    )


def test_a_key_in_testing_mode() -> None:
    """It verifies and is said to be one; what does not verify under it fails."""
    message = seal(MESSAGE, LIST)
    found = judge(message, records={"list": [key_record(RSA_1024, t="y")]})
    assert isinstance(found, Verified)
    assert (found.result.status, found.testing) == (ArcStatus.PASS, True)
    assert result(message, records={"list": [key_record(RSA_2048, t="y")]}).status is ArcStatus.FAIL


def test_a_key_that_cannot_be_fetched() -> None:
    """Nobody knows then: it is no failure of the chain."""
    assert judge(TWO, fail=(f"txt {KEY}",)) == Unverified(f"temperror: ARC-Seal i=1: key lookup failed: {KEY}")


def test_a_broken_signature_settles_it() -> None:
    """Whatever key is missing besides."""
    found = result(TWO, fail=(f"txt {KEY}",), records={"forward": [key_record(RSA_2048)]})
    assert found.cause == "ARC-Message-Signature i=2: signature did not verify"


@pytest.mark.threat("AUTH-15")
def test_all_keys_are_asked_at_once_and_each_once() -> None:
    """One round trip, whatever the chain."""
    resolver = FakeResolver(txt=RECORDS)
    plan = evaluate(facts_of(seal(TWO, LIST, "relay.example")))
    questions = next(plan)
    assert sorted(question.name.split(".")[2] for question in questions) == ["forward", "list", "relay"]
    with pytest.raises(StopIteration) as stop:
        plan.send(tuple([resolver.lookup(question) for question in questions]))
    assert stop.value.value.result.status is ArcStatus.PASS


@pytest.mark.threat("AUTH-15")
def test_too_many_keys_are_not_asked_for() -> None:
    """A chain may not eat up what the message may ask; one of as many sets by few sealers is verified."""
    facts = facts_of(TWO)

    def chain(count: int) -> ArcFacts:
        seals = tuple(replace(facts.seals[0], selector=f"s{number}") for number in range(count))
        return replace(facts, instance=count, seals=seals, results=(b"",) * count)

    resolver = FakeResolver(txt=RECORDS)
    assert complete(evaluate(chain(MAX_KEYS)), resolver.lookup) == Unverified("more than 16 different keys")
    assert resolver.asked == []
    assert isinstance(complete(evaluate(chain(MAX_KEYS - 1)), resolver.lookup), Verified)
    assert len(resolver.asked) == MAX_KEYS


def test_fifty_sets() -> None:
    """The longest chain there is passes."""
    message = MESSAGE
    for _ in range(MAX_SETS):
        message = craft(message, results="none")
    assert result(message) == ArcResult(ArcStatus.PASS, MAX_SETS, (LIST,) * MAX_SETS)


@pytest.mark.parametrize(
    "change", [{"message": None}, {"seals": ()}, {"instance": 0}, {"instance": 3}, {"results": ()}], ids=str
)
def test_incomplete_facts_are_no_pass(change: dict[str, Any]) -> None:
    """An inspector that leaves something out does not make a chain pass."""
    facts = replace(facts_of(TWO), **change)
    assert complete(evaluate(facts), FakeResolver(txt=RECORDS).lookup) == Unverified("the sets were not read")
