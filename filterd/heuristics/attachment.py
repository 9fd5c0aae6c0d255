"""Signs in attachments and unpacked members. Every name a file may go by counts, and its content beside them."""

import re
from typing import Final

from filterd.heuristics.subject import Evidence, File, Heuristic, Subject
from filterd.unpack.disks import DISKS

# fmt: off
_EXECUTABLE: Final = frozenset(
    {
        "exe", "scr", "com", "pif", "cpl", "dll", "msi", "msp", "sys", "drv", "ocx", "xll", "appx", "msix", "apk",
        "jar", "deb", "rpm", "dmg", "pkg",
    }
)
_SCRIPT: Final = frozenset(
    {
        "js", "jse", "vbs", "vbe", "wsf", "wsh", "hta", "bat", "cmd", "ps1", "psm1", "vb", "msc", "reg", "sct", "jnlp",
        "iqy", "slk", "settingcontent-ms", "library-ms", "searchconnector-ms", "application", "gadget", "chm", "url",
        "scf", "inf", "ade", "mde",
    }
)
_IMAGE: Final = frozenset(
    {
        "iso", "img", "vhd", "vhdx", "udf",
    }
)
_DOCUMENT: Final = frozenset(
    {
        "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "rtf", "txt", "jpg", "jpeg", "png", "gif", "htm", "html",
        "zip", "csv", "mp3", "wav",
    }
)
_HTML: Final = frozenset(
    {
        "htm", "html", "shtml", "xhtml", "xht", "mht", "mhtml", "svg",
    }
)
# fmt: on
_OLD_ARCHIVES: Final = frozenset(
    {"ace", "arj", "lha", "lzh", "uue", "xxe", "z", "r00", "cab", "arc", "zoo", "daa", "bz"}
)
_PACKED: Final = frozenset(
    {"zip", "rar", "7z", "tar", "gz", "tgz", "bz2", "xz", "iso", "img", "htm", "html", "shtml", "svg", "one"}
)
_LURE: Final = re.compile(
    r"invoice|receipt|payment|remittance|swift|purchase.?order|\bpo[ _-]?\d|quotation|rfq|statement|transfer|overdue"
    r"|scan|document"
    r"|voice.?(?:mail|message)|fax|parcel|shipment|awb|tracking|delivery|contract|salary|bonus|secure.?message|encrypted"
    r"|rechnung|mahnung|zahlung|angebot|bestellung|facture|paiement|fatura|boleto|nota.?fiscal|comprovante|factura"
    r"|pedido|fattura",
    re.IGNORECASE,
)
_PROGRAMS: Final = frozenset({"exe", "elf", "macho", "class", "dex"})
# What a declared image or document may be by content.
_EXPECTED: Final = {
    "png": {"png", "jpeg", "gif", "riff", "bmp"},
    "jpg": {"jpeg", "png", "gif", "riff", "bmp", "tiff"},
    "jpeg": {"jpeg", "png", "gif", "riff", "bmp", "tiff"},
    "gif": {"gif", "png", "jpeg", "riff"},
    "pdf": {"pdf"},
    "txt": {"text", "data", "html", "xml", "script", "pgp"},
}
# Contents that make a wrong name dangerous rather than careless.
_DANGEROUS: Final = _PROGRAMS | {
    "zip",
    "rar",
    "7z",
    "html",
    "svg",
    "lnk",
    "ole",
    "iso",
    "cab",
    "chm",
    "onenote",
    "script",
}
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_PADDED: Final = re.compile(r"\s{6,}\.[A-Za-z0-9]{2,5}\Z")


def _extension(name: str) -> str:
    """The extension in lower case, empty where there is none."""
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


def _named(subject: Subject, extensions: frozenset[str]) -> Evidence:
    """The first file with one of these extensions under any of its names."""
    for file in subject.files:
        for name in file.names:
            if _extension(name) in extensions:
                return (name, file.path)
    return None


def attach_executable(subject: Subject) -> Evidence:
    """A program, by name or by content, also inside archives."""
    for file in subject.files:
        kind = next((kind for kind in file.types if kind in _PROGRAMS), "")
        if kind and not file.text:
            return (kind, *file.names[:1], file.path)
    return _named(subject, _EXECUTABLE)


def attach_script(subject: Subject) -> Evidence:
    """A file that runs when it is opened, by its name."""
    return _named(subject, _SCRIPT)


def attach_disk_image(subject: Subject) -> Evidence:
    """A disk image: what is inside escapes the mark of the web."""
    for file in subject.files:
        if any(kind == "iso" or kind in DISKS for kind in file.types):
            return (file.types[-1], *file.names[:1], file.path)
    return _named(subject, _IMAGE)


def attach_shortcut(subject: Subject) -> Evidence:
    """A Windows shortcut, by name or by content."""
    for file in subject.files:
        if "lnk" in file.types:
            return (*file.names[:1], file.path)
    return _named(subject, frozenset({"lnk"}))


def attach_onenote(subject: Subject) -> Evidence:
    """A OneNote notebook, which carries files of any kind."""
    for file in subject.files:
        if "onenote" in file.types:
            return (*file.names[:1], file.path)
    return _named(subject, frozenset({"one", "onepkg"}))


def attach_double_extension(subject: Subject) -> Evidence:
    """A name that looks like a document and ends as something that runs: invoice.pdf.exe."""
    for file in subject.files:
        for name in file.names:
            stem, _, last = name.rpartition(".")
            if last.lower() in _EXECUTABLE | _SCRIPT | {"lnk"} and _extension(stem.rstrip()) in _DOCUMENT:
                return (name, file.path)
    return None


def attach_hidden_extension(subject: Subject) -> Evidence:
    """A name whose end is pushed out of sight by blanks or turned round by control characters."""
    for file in subject.files:
        for name in file.names:
            if _PADDED.search(name) or _BIDI.search(name):
                return (name, file.path)
    return None


def attach_type_mismatch(subject: Subject) -> Evidence:
    """A file called or declared a picture or document that is something dangerous."""
    for file in subject.files:
        if file.text or not file.size or file.encrypted:
            continue
        wrong = _wrong(file)
        if wrong:
            return (wrong, file.types[0], *file.names[:1], file.path)
    return None


def _wrong(file: File) -> str:
    """What the file claims to be and is not; empty where nothing dangerous hides behind the claim."""
    claims = [_extension(name) for name in file.names]
    if file.declared in ("image/png", "image/jpeg", "image/gif", "application/pdf"):
        claims.append(file.declared.rpartition("/")[2])
    for claim in claims:
        expected = _EXPECTED.get(claim)
        if expected and any(kind in _DANGEROUS and kind not in expected for kind in file.types):
            return claim
    return ""


def attach_macro(subject: Subject) -> Evidence:
    """An office document with macros."""
    for file in subject.files:
        if file.macro:
            return (*file.names[:1], file.path)
    return None


def attach_html(subject: Subject) -> Evidence:
    """An HTML or SVG file as attachment: it opens in the browser, outside the mail program's protection."""
    for file in subject.files:
        if not file.text and file.names and (file.types[0] in ("html", "svg") or _is_html(file)):
            return (*file.names[:1], file.path)
    return None


def _is_html(file: File) -> bool:
    """By name."""
    return any(_extension(name) in _HTML for name in file.names)


def attach_old_archive(subject: Subject) -> Evidence:
    """An archive of a kind that hardly anybody packs any more, and that scanners seldom open."""
    return _named(subject, _OLD_ARCHIVES)


def attach_lure(subject: Subject) -> Evidence:
    """An archive or web page that is called an invoice, a payment, a parcel: what people open without thinking."""
    for file in subject.files:
        for name in file.names if file.depth == 0 else ():
            if _extension(name) in _PACKED and _LURE.search(name[:200]):
                return (name, file.path)
    return None


def attach_encrypted(subject: Subject) -> Evidence:
    """An archive whose members nobody can look into without a password."""
    for file in subject.files:
        if file.encrypted:
            return (*file.names[:1], file.path)
    return None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("ATTACH_EXECUTABLE", attach_executable),
    ("ATTACH_SCRIPT", attach_script),
    ("ATTACH_DISK_IMAGE", attach_disk_image),
    ("ATTACH_SHORTCUT", attach_shortcut),
    ("ATTACH_ONENOTE", attach_onenote),
    ("ATTACH_DOUBLE_EXTENSION", attach_double_extension),
    ("ATTACH_HIDDEN_EXTENSION", attach_hidden_extension),
    ("ATTACH_TYPE_MISMATCH", attach_type_mismatch),
    ("ATTACH_MACRO", attach_macro),
    ("ATTACH_HTML", attach_html),
    ("ATTACH_OLD_ARCHIVE", attach_old_archive),
    ("ATTACH_LURE", attach_lure),
    ("ATTACH_ENCRYPTED", attach_encrypted),
)
