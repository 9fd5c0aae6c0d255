"""ARC (RFC 8617), verified and never sealed, split between two processes as DKIM is.

The inspector, which alone touches the body, calls `prepare`: the sets are put in order, the newest message signature
and all seals are read and reduced to digests. The front then needs the keys: `evaluate` asks for them and comes to a
result, and `vouched` adds what the sealers that the operator lists say they found.

    sets.py     which fields make up the chain, and whether they may (section 5.2, steps 1 to 3)
    prepare.py  message signature and seals, without their keys
    verify.py   with their keys (steps 4 and 6)
    trust.py    what listed sealers vouch for

This package, its check, one line of checks/registry.py, one stage of the inspector and what checks/dmarc.py (an
override) and checks/earlier.py (one line) take from it are all there is of ARC: it can be taken out, as
draft-ietf-dmarc-arc-to-historic recommends no longer to rely on it. A chain that passes says who
handled a message, never that it is good: anybody can seal. So it counts only for sealers that the operator lists.

Deviations: a key that could not be fetched leaves the result open, where RFC 8617 has `fail`; older message signatures
are not verified, so the oldest pass is known for chains of one set only; comments around i= are not read; a message
signature without c= is relaxed/relaxed, as the public test suite and dkimpy have it; l= and x= of DKIM are honoured, a
seal's t= may be any time. RSA keys and algorithms are bounded as DKIM's are (RFC 8301).
"""

from filterd.arc.prepare import prepare
from filterd.arc.sets import MAX_SETS, without_instance
from filterd.arc.trust import vouched
from filterd.arc.verify import MAX_KEYS, Unverified, Verified, evaluate

__all__ = ["MAX_KEYS", "MAX_SETS", "Unverified", "Verified", "evaluate", "prepare", "vouched", "without_instance"]
