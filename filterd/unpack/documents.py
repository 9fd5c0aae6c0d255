"""Which reader opens which kind of document."""

from typing import Final

from filterd.unpack import ole_office, pdf
from filterd.unpack.pieces import Reader

READERS: Final[dict[str, Reader]] = {
    "ole": ole_office.pieces,
    "pdf": pdf.read_pdf,
}
