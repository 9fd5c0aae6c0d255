"""Import beforehand what Python would import lazily: once the walls stand, nothing can be opened any more."""

import contextlib
import encodings
import importlib
import pkgutil
from typing import Final

from filterd.domains import load_suffixes, normalise

_FOREIGN_CODECS: Final = frozenset({"mbcs", "oem", "cp65001"})  # Windows only
_LAZY_MODULES: Final = (
    "PIL.ImageChops",
    "PIL.ImageOps",
    "PIL.TiffImagePlugin",
    "_strptime",
    "calendar",
    "email.header",
    "email.utils",
    "glob",
    "json",
    "numpy.ma",
    "pikepdf.models.image",
    "stringprep",
    "tempfile",
    "traceback",
    "unicodedata",
    "zoneinfo",
)


def preload() -> None:
    """Import every text codec (a charset would otherwise be a LookupError) and the standard library's late imports."""
    for module in pkgutil.iter_modules(encodings.__path__):
        if module.name not in _FOREIGN_CODECS:
            with contextlib.suppress(ImportError):
                importlib.import_module(f"encodings.{module.name}")
    for name in _LAZY_MODULES:
        importlib.import_module(name)
    load_suffixes()
    normalise("b\u00fccher.example")  # loads the tables of IDNA
