"""Archives to streams, without bombs: zip with an own look at central against local headers, gzip, bzip2, xz.

Nothing is written to disk; a member's name is text to show and to judge, never a path. All archives of one message draw
on one budget of depth, files, bytes and ratio. What is beyond it, encrypted, or cannot be decoded is said in a finding
UNSCANNABLE_*; a zip that two unpackers would read differently is AMBIGUOUS_ARCHIVE, and both views are handed out.

Deviations: the formats 7z, rar, cab, arj, ace, lzh and zip methods other than store, deflate and bzip2 are not opened.
"""

from filterd.unpack.budget import Budget, Member
from filterd.unpack.open import unpack
from filterd.unpack.types import detect

__all__ = ["Budget", "Member", "detect", "unpack"]
