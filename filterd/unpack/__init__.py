"""Archives to streams, without bombs: zip with an own look at central against local headers, others by libarchive.

What bytes are is told by themselves (types), where a name leads an unpacker further in by that (kinds). 7z, rar, tar,
cab, iso, lha, cpio, ar and the streams beside gzip, bzip2 and xz go to libarchive (archive, archive_library), after own
walks over their headers (archive_checks, archive_rar, archive_tar): libarchive passes over volumes, encryption and what
stands behind an end, and has faults of its own in cabinets, Rock Ridge and xar. zip members in other methods and under
a password of the mail (passwords) go there one by one (zip_member).

Nothing is written to disk; a member's name is text to show and to judge, never a path. All archives of one message draw
on one budget of depth, files, bytes, ratio and time. What is beyond it, encrypted, or cannot be decoded is said in a
finding UNSCANNABLE_*; an archive that two unpackers would read differently is AMBIGUOUS_ARCHIVE, and both views are
handed out.

Deviations: arj, ace, xar, wim, lzop, alz, egg, UDF, Deflate64 and what libarchive lacks (encrypted or solid RAR of some
kinds, 7z with newer codecs) are not opened; volumes are not put together; on a disc Rock Ridge names are not read.
"""

from filterd.unpack.budget import Budget, Member
from filterd.unpack.open import unpack
from filterd.unpack.types import detect

__all__ = ["Budget", "Member", "detect", "unpack"]
