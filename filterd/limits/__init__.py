"""Rate limits: how many recipients a client network, a user, a sender or a mailbox may have in a time.

- A rate is data (`[rates.NAME]` of filterd.toml): by whom, how many, in which time, how many of them at once. Each
  subject has a token bucket of its own (`filterd.store.buckets`), common to all fronts and nodes.
- A recipient takes a token from every bucket that is for it, or from none where one is empty: who is refused by one
  rate does not use up the others. All of them are one call: one script in Redis, one lock on one host.
- A dry run counts and logs and hinders nobody.
- A sender that SPF has not proved counts together with the client's network: nobody uses up somebody else's rate.
- Where the buckets do not answer the recipient passes: a limit that cannot be looked at must not stop mail. This is
  counted (`filterd_gates_silent`), and after five failures in a row nobody waits any more.
"""

from filterd.limits.gate import CODE, LimitsGate
from filterd.limits.limiter import Count, Limiter, Ruling
from filterd.limits.rates import Rate, Request, rates_of

__all__ = ["CODE", "Count", "Limiter", "LimitsGate", "Rate", "Request", "Ruling", "rates_of"]
