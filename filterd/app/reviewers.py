"""Held mail for people who have no access to the daemon's files: what their role lets them see and release."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Final

from filterd.app.custody import quarantine_of
from filterd.app.scale import scale_of
from filterd.app.site import Site
from filterd.app.upkeep import releaser_of
from filterd.config import Config
from filterd.control import Grant, Peer, Refusal
from filterd.model.custody import CustodyError
from filterd.operations.explain import explain
from filterd.operations.review import beginning, looked
from filterd.quarantine import Actor, Entry, EntryFilter, EvidenceError, Quarantine
from filterd.quarantine.entries import MAX_TEXT, WAITING

PAGE: Final = 200  # entries read at once
MAX_LOOKED_AT: Final = 20_000  # entries looked through for one list: somebody of a small domain does not stop a node
ORIGIN: Final = "control socket"


def held(config: Config, grant: Grant, most: int) -> list[dict[str, Any]]:
    """What waits for somebody and is for this one, newest first. CustodyError."""
    found: list[dict[str, Any]] = []
    with closing(quarantine_of(config)) as quarantine:
        for entry in _waiting(quarantine):
            if _covers(grant, entry.recipients):
                found.append(_shown(entry))
                if len(found) == most:
                    break
    return found


def show(site: Site, grant: Grant, peer: Peer, identifier: str) -> dict[str, Any]:
    """One of them: why it is held, and how it begins; the look is in the audit. Refusal, CustodyError."""
    with closing(quarantine_of(site.config, upkeep=True)) as quarantine:
        try:
            if text := _outside(quarantine, grant, identifier):
                raise Refusal(f"{identifier}: {text}")
            quarantine.note(Actor(peer.name, ORIGIN), "view", identifier)
            evidence, raw = quarantine.evidence(identifier), beginning(quarantine, identifier)
        except KeyError:
            raise Refusal(f"{identifier}: its files are gone") from None
        except EvidenceError as error:
            raise Refusal(f"{identifier}: {error}") from None
    explained = explain(evidence, scale_of(site, evidence.verdict.policy))
    return {"id": identifier, "explained": explained, "lines": list(looked(evidence, raw))}


def release(config: Config, grant: Grant, peer: Peer, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Release these to those they were held for. Of what is not for him he does not learn whether it is there."""
    who = Actor(peer.name, ORIGIN)
    done = []
    with closing(quarantine_of(config, upkeep=True)) as quarantine:
        releaser = releaser_of(config, quarantine)
        for identifier in ids:
            try:
                text = _outside(quarantine, grant, identifier)
                if text:
                    done.append({"id": identifier, "state": "refused", "text": text})
                    continue
                one = releaser.release(identifier, who)
            except (KeyError, CustodyError, EvidenceError, OSError) as error:
                cause = "its files are gone" if isinstance(error, KeyError) else str(error)
                done.append({"id": identifier, "state": "refused", "text": cause})
            else:
                done.append({"id": one.id, "state": one.state.value, "text": one.text})
    return done


def _outside(quarantine: Quarantine, grant: Grant, identifier: str) -> str:
    """Why an entry is not for this one; empty where it is."""
    unknown = "no such entry, or it is not for your domains"
    entry = quarantine.entry(identifier)
    if entry is None or not _covers(grant, entry.recipients):
        return unknown
    # The entry's recipients are cut for a listing; these are whom it goes to.
    evidence = quarantine.evidence(identifier)
    targets = evidence.held_for or tuple([one.address for one in evidence.envelope.recipients])
    return "" if _covers(grant, targets) else unknown


def _covers(grant: Grant, recipients: Iterable[str]) -> bool:
    """As the grant does; an address without a domain, or cut, is in no domain."""
    addresses = tuple(recipients)
    whole = all("@" in one and len(one) < MAX_TEXT for one in addresses)
    return grant.covers(addresses) and (whole or grant.domains is None)


def _waiting(quarantine: Quarantine) -> Iterator[Entry]:
    before, looked = None, 0
    wanted = EntryFilter(states=WAITING)
    while looked < MAX_LOOKED_AT:
        page = quarantine.entries(wanted, before=before, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        before, looked = page[-1].id, looked + len(page)


def _shown(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "received": entry.received,
        "state": entry.state.value,
        "from": entry.sender,
        "recipients": list(entry.recipients),
        "subject": entry.subject,
        "reason": entry.code,
        "text": entry.text,
        "score": entry.score,
        "size": entry.size,
    }
