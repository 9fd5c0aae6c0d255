"""Which release tokens were used: a row each in the ledger, which all nodes share, until they would be void anyway."""

from filterd.quarantine.ledger import Ledger


class Redeemed:
    """The tokens that were used."""

    def __init__(self, ledger: Ledger) -> None:
        """`ledger` is where it is written."""
        self._ledger = ledger

    def redeem(self, nonce: str, expires: float) -> bool:
        """Use a token, durably: False where it was used before. CustodyError: nobody knows."""
        with self._ledger.changing() as connection:
            row = connection.execute(
                "INSERT INTO tokens (nonce, expires) VALUES (?, ?) ON CONFLICT DO NOTHING", (nonce, expires)
            )
            return row.rowcount == 1

    def forget(self, before: float) -> int:
        """Forget those that expired before then; how many."""
        if not self._ledger.exists():
            return 0
        with self._ledger.reading() as connection:
            if not connection.execute("SELECT count(*) FROM tokens WHERE expires < ?", (before,)).fetchone()[0]:
                return 0
        with self._ledger.changing() as connection:
            return connection.execute("DELETE FROM tokens WHERE expires < ?", (before,)).rowcount
