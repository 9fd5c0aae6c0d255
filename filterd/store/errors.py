"""What a backend may raise."""

from filterd.model.store import StoreError


class StoreRefusedError(StoreError):
    """The backend answered, and the answer was no: wrong type, no memory, read-only.

    It costs no waiting, so it says nothing about whether the next call will be served: a circuit breaker ignores it.
    """
