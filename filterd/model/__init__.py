"""Values that every part of filterd shares, and the protocols that others implement.

Frozen dataclasses and plain functions over them; the standard library only. Nothing here opens, asks, waits or logs.
"""
