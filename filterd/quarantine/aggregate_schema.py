"""Tables of what DMARC found, by day and domain, in words that SQLite and PostgreSQL both understand.

`dmarc_days` has a row for each domain and day: the record as it was seen last, how many different rows it has, and how
many messages found no more room. `dmarc_rows` has those rows, `content` as JSON, `name` a hash of it. `dmarc_reports`
says which report was sent where.
"""

from typing import Final

from filterd.store.embedded import Schema

TABLES: Final = (
    (
        "CREATE TABLE dmarc_days (day INTEGER NOT NULL, domain TEXT NOT NULL, record TEXT NOT NULL,"
        " kinds BIGINT NOT NULL, lost BIGINT NOT NULL, PRIMARY KEY (day, domain))"
    ),
    (
        "CREATE TABLE dmarc_rows (day INTEGER NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL,"
        " content TEXT NOT NULL, messages BIGINT NOT NULL, PRIMARY KEY (day, domain, name))"
    ),
    (
        "CREATE TABLE dmarc_reports (day INTEGER NOT NULL, domain TEXT NOT NULL, address TEXT NOT NULL,"
        " state TEXT NOT NULL, due DOUBLE PRECISION NOT NULL, lease TEXT NOT NULL, attempts INTEGER NOT NULL,"
        " answer TEXT NOT NULL, PRIMARY KEY (day, domain, address))"
    ),
)
NAMES: Final = ("dmarc_rows", "dmarc_reports", "dmarc_days")

SCHEMA: Final = Schema(1, TABLES)
