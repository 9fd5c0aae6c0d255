"""Reputation: how mail has turned out before, by client network, by domain and by both; and who knows whom.

- **Outcomes**: a message's verdict without what reputation (or an allow list) said, good or bad; what lies between, was
  deferred or could not be checked counts nothing. So reputation never feeds on itself.
- **Counts** decay exponentially, with a half-life of a week and, beside it, of six hours (`counts`).
- **Standings** are a pure function of counts and time: a score, and a confidence n/(n+k) that grows with evidence. A
  bad outcome weighs three good ones; the last hours can pull a standing down and never up (`standing`).
- **Who**: a /24 or /48 (`keys`); the registrable domain that has *proved* to be behind the message (`responsible`).
  An unauthenticated name earns nothing. A domain's good standing helps only mail whose author it is.
- **One source does not speak for others**: a network that a domain has not authorised brings that domain a few outcomes
  at most (a signed message can be sent again by anybody), and none for what is the client's own fault.
- **Correspondents**: our users' authenticated mail makes its recipients known to them, earlier good mail its sender.
- Everything is hashed, has a lifetime, and is bounded per message: six counters and `MAX_PEOPLE` set members.

The weights stand in rules/scores.toml, in a group whose cap lies below every threshold and whose floor clears nothing.
"""

from typing import Final

from filterd.model.session import TrustClass
from filterd.reputation.counts import FAST, SLOW, Addition, Counts, Outcome, Record, addition, counters
from filterd.reputation.keys import domain_key, domain_of, network_key, network_of, pair_key, person
from filterd.reputation.memory import Memory
from filterd.reputation.people import MAX_PEOPLE, Known, user
from filterd.reputation.recalled import (
    FIRST_CONTACT,
    RecalledMemory,
    known_text,
    people_note,
    record_text,
    standing_note,
)
from filterd.reputation.responsible import Responsible, correspondent, proved, responsible
from filterd.reputation.standing import Level, Standing, combine, evaluate
from filterd.reputation.tally import Tally

OWN: Final = frozenset({TrustClass.AUTHENTICATED, TrustClass.LOCAL})  # not judged: we know them otherwise

__all__ = [
    "FAST",
    "FIRST_CONTACT",
    "MAX_PEOPLE",
    "OWN",
    "SLOW",
    "Addition",
    "Counts",
    "Known",
    "Level",
    "Memory",
    "Outcome",
    "RecalledMemory",
    "Record",
    "Responsible",
    "Standing",
    "Tally",
    "addition",
    "combine",
    "correspondent",
    "counters",
    "domain_key",
    "domain_of",
    "evaluate",
    "known_text",
    "network_key",
    "network_of",
    "pair_key",
    "people_note",
    "person",
    "proved",
    "record_text",
    "responsible",
    "standing_note",
    "user",
]
