"""Frames between a front, the nursery and its inspectors.

All three talk over AF_UNIX stream sockets in frames: four bytes of length, one byte of kind, a msgpack payload of a
frozen dataclass (`messages`), descriptors beside it (SCM_RIGHTS). Every conversation is strictly question and answer,
so at most one frame is under way in each direction and a byte too many is an error.

An inspector has read hostile mail: what it sends is judged like mail. A frame has a bounded size, is decoded into typed
dataclasses (never pickle, which would run what it reads), and descriptors are accepted only by those who asked for one.
"""
