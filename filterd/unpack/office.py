"""A first look into office documents: whether they hold macros."""

import re
from typing import Final

from filterd.unpack.types import Data

# A stream's name in an OLE directory (MS-OVBA 2.2.1).
_PROJECT: Final = re.compile(re.escape("_VBA_PROJECT".encode("utf-16-le")))


def has_macros(data: Data, types: tuple[str, ...], name: str) -> bool:
    """True for an OLE file with a VBA project, and for the member of an OOXML file that is one."""
    if name.lower().endswith("vbaproject.bin"):
        return True
    return types[0] == "ole" and _PROJECT.search(data) is not None
