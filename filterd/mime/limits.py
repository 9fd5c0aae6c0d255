"""Limits of the message walk. Each keeps one cost linear; reaching one is a finding."""

from typing import Final

MAX_FIELDS: Final = 1_000  # header fields of the message; real mail stays under 200
MAX_HEADER_BYTES: Final = 60_000  # bytes; Postfix hands over no longer field, and all of a sane header is shorter
MAX_HEADER_BLOCK: Final = 4_000_000  # bytes looked at for the end of the header when a file is split
MAX_PARTS: Final = 1_000  # leaf parts of one message, nested messages included
MAX_DEPTH: Final = 32  # multiparts and messages inside each other
MAX_PART_HEADER: Final = 65_536  # bytes of one part's header: no MTA bounds it
MAX_PARAMETERS: Final = 100  # per field; two are usual
MAX_FILENAMES: Final = 32  # candidate names of one part
MAX_FILENAME: Final = 1_000  # characters of one name
MAX_BOUNDARY: Final = 2_048  # bytes; RFC 2046 says 70, Postfix takes 2,048
MAX_WORDS: Final = 1_000  # encoded words decoded in one field
MAX_ADDRESSES: Final = 100  # mailboxes read from one From field
MAX_TEXT: Final = 1_000_000  # characters of one text part that are looked at as text
MAX_EMBEDDED: Final = 100  # files looked for in one text part: uuencode, yEnc, BinHex, bare base64
MAX_WRITTEN_FILE: Final = 20_000_000  # bytes of yEnc or BinHex decoded of one file: there are copies of it meanwhile
MAX_DECODED: Final = 50_000_000  # bytes of all messages under a transfer encoding, which are held while their parts are
MAX_OTHER_ENDS: Final = 10_000_000  # bytes of a message that are read again with other line ends, in copies
EVIDENCE: Final = 200  # characters of one evidence string
