"""Which release tokens were used, and for whom marked messages have passed.

A row each in the ledger, which all nodes share, until it would be void anyway.
"""

from collections.abc import Sequence
from contextlib import suppress

from filterd.quarantine.aside import aside
from filterd.quarantine.ledger import Ledger


class _UsedError(Exception):
    """One of them was used before."""


class Redeemed:
    """The tokens that were used."""

    def __init__(self, ledger: Ledger) -> None:
        """`ledger` is where it is written."""
        self._ledger = ledger

    def redeem(self, nonce: str, expires: float) -> bool:
        """Use a token, durably: False where it was used before. CustodyError: nobody knows."""
        return self.redeem_all((nonce,), expires)

    def redeem_all(self, nonces: Sequence[str], expires: float) -> bool:
        """Use several, all of them or, where one was used before, none. May be called by libmilter's threads."""
        return aside(lambda: self._redeem_all(nonces, expires))

    def _redeem_all(self, nonces: Sequence[str], expires: float) -> bool:
        with suppress(_UsedError), self._ledger.changing() as connection:
            for nonce in nonces:
                row = connection.execute(
                    "INSERT INTO tokens (nonce, expires) VALUES (?, ?) ON CONFLICT DO NOTHING", (nonce, expires)
                )
                if row.rowcount != 1:
                    raise _UsedError  # which takes the transaction back
            return True
        return False

    def forget(self, before: float) -> int:
        """Forget those that expired before then; how many."""
        if not self._ledger.exists():
            return 0
        with self._ledger.reading() as connection:
            if not connection.execute("SELECT count(*) FROM tokens WHERE expires < ?", (before,)).fetchone()[0]:
                return 0
        with self._ledger.changing() as connection:
            return connection.execute("DELETE FROM tokens WHERE expires < ?", (before,)).rowcount
