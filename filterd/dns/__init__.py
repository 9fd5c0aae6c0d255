"""DNS lookups: a stub resolver, its cache, plans that run on it, a fake and a recording that stand for it.

RFC 1035 and 2181 (format), 2308 (negative answers), 5452 (answers that are hard to forge), 6891 (EDNS), 7766 (TCP),
8767 (stale answers), 9520 (failures are cached). It expects a recursive, validating name server close by: it follows
aliases within one answer only, does not validate DNSSEC, and believes the AD bit from loopback or where told to.

A question's way: a plan (plans.py) yields it -> lookups.py answers it from what the message used before or the cache
(cache.py), in the calling thread, or carries the plan into the event loop (loop.py) -> resolver.py asks once for all
who wait -> shared.py looks it up among the answers of all fronts and hosts, where Redis is configured (sharing.py:
values; decision 007) -> stub.py sends it (server.py: sockets; codec.py and names.py: bytes; tcp.py), retries, and
always answers. Names in use are asked for again shortly before their answers are over.
recording.py replays answers; fake.py invents them for tests.

Failures are answers with the status TEMPFAIL and a cause: "servfail", "refused", "timeout", "no nameserver" (nobody
listens), "budget" (the message asked too much or waited too long), "no recursion" (a referral), "malformed",
"tcp failed", "overload", "closed", "not in the recording", "rcode N". A stale answer has the cause "stale".

Deviations, all on purpose:
- A name that cannot be in the DNS (over 253 characters, a label over 63 or empty, anything but printable ASCII) is
  answered NXDOMAIN with the cause "invalid name", without a query: it certainly has no records, today and tomorrow.
- `Answer.ttl` is the wire's value at `Answer.received`; it is not counted down. The cache clamps its own copy; zones
  with bounds of their own (clamping.py: block lists) have them applied to the answer.
- An alias loop is NODATA: the name leads nowhere, and asking again will not change that.
- A root name in a record (the null MX of RFC 7505) reads ".".
"""
