"""Tables of what is done once, in words that SQLite and PostgreSQL both understand.

`digest_rounds` and `digests` say who was told what is held (digests.py), `tokens` which tokens of releases were used
(redeemed.py).
"""

from typing import Final

ONCE: Final = (
    (
        "CREATE TABLE digest_rounds (until BIGINT PRIMARY KEY, since BIGINT NOT NULL, upto BIGINT NOT NULL,"
        " done INTEGER NOT NULL)"
    ),
    (
        "CREATE TABLE digests (until BIGINT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, upto BIGINT NOT NULL,"
        " due DOUBLE PRECISION NOT NULL, lease TEXT NOT NULL, attempts INTEGER NOT NULL, PRIMARY KEY (until, name))"
    ),
    "CREATE TABLE tokens (nonce TEXT PRIMARY KEY, expires DOUBLE PRECISION NOT NULL)",
)
