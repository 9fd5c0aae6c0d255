"""Greylisting: who sends dubious mail is asked to come again, which mail servers do and much else does not.

- **By score only.** Mail is greylisted that is neither clean nor bad enough to be held: `[actions] greylist` and what
  lies above. Before the content is there the early checks' score decides, at the end of the message all of it.
- **Keys** (`keys`): client network (/24, /64), sender and recipient; where SPF passes, the sender's domain beside the
  network, for big senders try again from anywhere; at the end of the message a digest of the body too, so that the same
  message passes wherever it comes from.
- **States** (`entries`, pure): new, early, returned, known. A retry between `delay` and `window` passes, and so does
  what comes under the same key for a `lifetime` after it.
- **Never** authenticated clients, our networks and relays, known correspondents, authors whose domain answers for them
  (`excuses`), and before the content null senders.
- **A store that does not answer** lets mail pass: a greylist that cannot be looked at must not stop it. It is counted,
  and nobody waits for it longer than 200 ms. Who is made to wait was written down before.
- **Under stress** (the MTA says so) nobody new is made to come again.
"""

from filterd.greylist.asking import Answer, Greylist
from filterd.greylist.entries import State, Times
from filterd.greylist.excuses import excuse, spf_domain
from filterd.greylist.gate import CODE, EXCUSED, NAME, Count, GreylistGate, Greylisting, counted
from filterd.greylist.keys import Attempt

__all__ = [
    "CODE",
    "EXCUSED",
    "NAME",
    "Answer",
    "Attempt",
    "Count",
    "Greylist",
    "GreylistGate",
    "Greylisting",
    "State",
    "Times",
    "counted",
    "excuse",
    "spf_domain",
]
