"""The symbols of everything found in content, and how a finding is made from hostile text.

They stand here, low in the layers, because the front's side names them too and may not import what reads content.
"""

from typing import Final

from filterd.mime.limits import EVIDENCE
from filterd.model.report import Finding

AMBIGUOUS_BOUNDARY: Final = "AMBIGUOUS_BOUNDARY"
AMBIGUOUS_ENCODING: Final = "AMBIGUOUS_ENCODING"
AMBIGUOUS_HEADER: Final = "AMBIGUOUS_HEADER"
AMBIGUOUS_TYPE: Final = "AMBIGUOUS_TYPE"
AMBIGUOUS_NAME: Final = "AMBIGUOUS_NAME"
AMBIGUOUS_FROM: Final = "AMBIGUOUS_FROM"
AMBIGUOUS_ARCHIVE: Final = "AMBIGUOUS_ARCHIVE"

UNSCANNABLE_HEADER: Final = "UNSCANNABLE_HEADER"
UNSCANNABLE_PARTS: Final = "UNSCANNABLE_PARTS"
UNSCANNABLE_DEPTH: Final = "UNSCANNABLE_DEPTH"
UNSCANNABLE_PARTIAL: Final = "UNSCANNABLE_PARTIAL"
UNSCANNABLE_HTML: Final = "UNSCANNABLE_HTML"
UNSCANNABLE_ARCHIVE: Final = "UNSCANNABLE_ARCHIVE"
UNSCANNABLE_ENCRYPTED: Final = "UNSCANNABLE_ENCRYPTED"
MAIL_ENCRYPTED: Final = "MAIL_ENCRYPTED"
UNSCANNABLE_BOMB: Final = "UNSCANNABLE_BOMB"
UNSCANNABLE_SIZE: Final = "UNSCANNABLE_SIZE"
UNSCANNABLE_CRASH: Final = "UNSCANNABLE_CRASH"
UNSCANNABLE_YARA: Final = "UNSCANNABLE_YARA"
UNSCANNABLE_DOCUMENT: Final = "UNSCANNABLE_DOCUMENT"

ARCHIVE_ESCAPE: Final = "ARCHIVE_ESCAPE"
ARCHIVE_PASSWORD: Final = "ARCHIVE_PASSWORD"  # noqa: S105  # a symbol's name

OFFICE_MACRO: Final = "OFFICE_MACRO"
OFFICE_MACRO_AUTOEXEC: Final = "OFFICE_MACRO_AUTOEXEC"
OFFICE_MACRO_SUSPICIOUS: Final = "OFFICE_MACRO_SUSPICIOUS"
OFFICE_VBA_STOMPED: Final = "OFFICE_VBA_STOMPED"
OFFICE_XLM: Final = "OFFICE_XLM"
OFFICE_DDE: Final = "OFFICE_DDE"
OFFICE_TEMPLATE: Final = "OFFICE_TEMPLATE"
OFFICE_EXTERNAL: Final = "OFFICE_EXTERNAL"
OFFICE_REMOTE: Final = "OFFICE_REMOTE"
OFFICE_EMBEDDED: Final = "OFFICE_EMBEDDED"
OFFICE_ENCRYPTED: Final = "OFFICE_ENCRYPTED"
OFFICE_EQUATION: Final = "OFFICE_EQUATION"
OFFICE_ACTIVEX: Final = "OFFICE_ACTIVEX"
RTF_OBJECT: Final = "RTF_OBJECT"
RTF_OBFUSCATED: Final = "RTF_OBFUSCATED"
ONENOTE_EMBEDDED: Final = "ONENOTE_EMBEDDED"
LNK_COMMAND: Final = "LNK_COMMAND"

PDF_JAVASCRIPT: Final = "PDF_JAVASCRIPT"
PDF_OPEN_ACTION: Final = "PDF_OPEN_ACTION"
PDF_LAUNCH: Final = "PDF_LAUNCH"
PDF_EMBEDDED_FILE: Final = "PDF_EMBEDDED_FILE"
PDF_FORM_SUBMIT: Final = "PDF_FORM_SUBMIT"
PDF_REMOTE_FILE: Final = "PDF_REMOTE_FILE"
PDF_XFA: Final = "PDF_XFA"
PDF_ENCRYPTED: Final = "PDF_ENCRYPTED"
PDF_DAMAGED: Final = "PDF_DAMAGED"
PDF_POLYGLOT: Final = "PDF_POLYGLOT"
IMAGE_UNREAD: Final = "IMAGE_UNREAD"
HTML_SMUGGLING: Final = "HTML_SMUGGLING"
SVG_SCRIPT: Final = "SVG_SCRIPT"
SVG_FOREIGN: Final = "SVG_FOREIGN"
SVG_EXTERNAL: Final = "SVG_EXTERNAL"

AMBIGUOUS: Final = frozenset(
    {
        AMBIGUOUS_BOUNDARY,
        AMBIGUOUS_ENCODING,
        AMBIGUOUS_HEADER,
        AMBIGUOUS_TYPE,
        AMBIGUOUS_NAME,
        AMBIGUOUS_FROM,
        AMBIGUOUS_ARCHIVE,
    }
)
UNSCANNABLE: Final = frozenset(
    {
        UNSCANNABLE_HEADER,
        UNSCANNABLE_PARTS,
        UNSCANNABLE_DEPTH,
        UNSCANNABLE_PARTIAL,
        UNSCANNABLE_HTML,
        UNSCANNABLE_ARCHIVE,
        UNSCANNABLE_ENCRYPTED,
        UNSCANNABLE_BOMB,
        UNSCANNABLE_SIZE,
        UNSCANNABLE_CRASH,
        UNSCANNABLE_YARA,
        UNSCANNABLE_DOCUMENT,
    }
)
ARCHIVES: Final = frozenset({ARCHIVE_ESCAPE, ARCHIVE_PASSWORD})
DOCUMENTS: Final = frozenset(
    {
        OFFICE_MACRO,
        OFFICE_MACRO_AUTOEXEC,
        OFFICE_MACRO_SUSPICIOUS,
        OFFICE_VBA_STOMPED,
        OFFICE_XLM,
        OFFICE_DDE,
        OFFICE_TEMPLATE,
        OFFICE_EXTERNAL,
        OFFICE_REMOTE,
        OFFICE_EMBEDDED,
        MAIL_ENCRYPTED,
        OFFICE_ENCRYPTED,
        OFFICE_EQUATION,
        OFFICE_ACTIVEX,
        RTF_OBJECT,
        RTF_OBFUSCATED,
        ONENOTE_EMBEDDED,
        LNK_COMMAND,
        PDF_JAVASCRIPT,
        PDF_OPEN_ACTION,
        PDF_LAUNCH,
        PDF_EMBEDDED_FILE,
        PDF_FORM_SUBMIT,
        PDF_REMOTE_FILE,
        PDF_XFA,
        PDF_ENCRYPTED,
        PDF_DAMAGED,
        PDF_POLYGLOT,
        IMAGE_UNREAD,
        HTML_SMUGGLING,
        SVG_SCRIPT,
        SVG_FOREIGN,
        SVG_EXTERNAL,
    }
)

# One line for each entry of heuristics.ALL; a test holds the two together.
HEURISTICS: Final = frozenset(
    {
        "ALTERNATIVE_ALONE",
        "ATTACH_DISK_IMAGE",
        "ATTACH_DOUBLE_EXTENSION",
        "ATTACH_ENCRYPTED",
        "ATTACH_EXECUTABLE",
        "ATTACH_HIDDEN_EXTENSION",
        "ATTACH_HTML",
        "ATTACH_LURE",
        "ATTACH_MACRO",
        "ATTACH_OLD_ARCHIVE",
        "ATTACH_ONENOTE",
        "ATTACH_SCRIPT",
        "ATTACH_SHORTCUT",
        "ATTACH_TYPE_MISMATCH",
        "BACKSCATTER",
        "BASE64_NEEDLESS",
        "BITCOIN_ADDRESS",
        "BODY_EMPTY",
        "BODY_MANY_PHRASES",
        "BODY_ONLY_FILE",
        "BODY_SHORT_LINK",
        "BODY_SHOUTS",
        "BODY_SPAM_PHRASES",
        "BOUNCE_FAKE",
        "BULK_NO_UNSUBSCRIBE",
        "CHARSET_FOREIGN",
        "CHARSET_UNKNOWN",
        "DATE_AHEAD",
        "DATE_FAR_OFF",
        "DATE_INVALID",
        "DATE_ZONE_ODD",
        "DISGUISED_WORDS",
        "DUPLICATE_FIELD",
        "ESCAPED_LETTERS",
        "FANCY_LETTERS",
        "FANCY_TEXT",
        "FREEMAIL_PAIR",
        "FROM_BRAND",
        "FROM_BRAND_ADDRESS",
        "FROM_BRAND_DISGUISED",
        "FROM_CHEAP_ENDING",
        "FROM_DISPLAY_ADDRESS",
        "FROM_MIXED_SCRIPT",
        "FROM_NO_NAME",
        "FROM_NUMBER",
        "FROM_PUNYCODE",
        "FROM_RANDOM",
        "FROM_RECIPIENT",
        "FROM_ROLE_FREEMAIL",
        "GAPPY_WORDS",
        "GREETS_ADDRESS",
        "HEADER_8BIT",
        "HELO_BARE_ADDRESS",
        "HELO_FALSE_ADDRESS",
        "HELO_UNQUALIFIED",
        "HTML_DATA_LINK",
        "HTML_FAINT_TEXT",
        "HTML_FORM",
        "HTML_FRAME",
        "HTML_HIDDEN_TEXT",
        "HTML_IMAGE_ONLY",
        "HTML_ONLY",
        "HTML_PASSWORD",
        "HTML_REFRESH",
        "HTML_SCRIPT",
        "HTML_TINY_TEXT",
        "INVISIBLE_CHARACTERS",
        "LANGUAGE_FOREIGN",
        "LINKS_FOREIGN",
        "LINK_TEXT_MISMATCH",
        "LIST_UNSUBSCRIBE_ODD",
        "LURE_ACCOUNT",
        "LURE_FRAUD",
        "LURE_MEDICINE",
        "LURE_OFFER",
        "LURE_PARCEL",
        "LURE_PRESSURE",
        "LURE_PRIZE",
        "LURE_REMOVE",
        "MAILER_FORGED",
        "MANY_RECIPIENTS",
        "MESSAGE_ID_BORROWED",
        "MESSAGE_ID_FOREIGN",
        "MESSAGE_ID_ODD",
        "MISSING_DATE",
        "MISSING_MESSAGE_ID",
        "MISSING_MIME_VERSION",
        "MISSING_SUBJECT",
        "MISSING_TO",
        "MIXED_SCRIPT_TEXT",
        "MIXED_SCRIPT_WORDS",
        "PICTURED_WORDS",
        "PRIORITY_URGENT",
        "QR_LINK",
        "QR_LINK_ONLY",
        "RECEIVED_UNORDERED",
        "RECIPIENTS_ALIKE",
        "REPLYTO_DIFFERS",
        "REPLYTO_DIFFERS_FREEMAIL",
        "REPORT_FALSE",
        "SUBJECT_ALL_CAPS",
        "SUBJECT_FAKE_REPLY",
        "SUBJECT_MONEY",
        "SUBJECT_NEEDLESS_ENCODING",
        "SUBJECT_RECIPIENT",
        "SUBJECT_SHOUTS",
        "SUBJECT_SPAM_WORDS",
        "SUBJECT_TRAILING_ID",
        "TEXT_HTML_DIFFER",
        "TO_IS_FROM",
        "UNDISCLOSED_RECIPIENTS",
        "UNSUBSCRIBE_TEXT_ONLY",
        "URL_BRAND",
        "URL_CHEAP_ENDING",
        "URL_ESCAPED",
        "URL_FREE_HOSTING",
        "URL_IN_URL",
        "URL_IP_DISGUISED",
        "URL_IP_HOST",
        "URL_LIMIT",
        "URL_LURE_HOST",
        "URL_MANY",
        "URL_MANY_LABELS",
        "URL_MIXED_SCRIPT",
        "URL_ODD_PORT",
        "URL_PICTURE_HOST",
        "URL_PROGRAM",
        "URL_PUNYCODE",
        "URL_RANDOM_HOST",
        "URL_RECIPIENT",
        "URL_REDIRECTOR",
        "URL_SHORTENER",
        "URL_USERINFO",
        "ZERO_WIDTH_TEXT",
    }
)


def finding(symbol: str, *evidence: str | bytes) -> Finding:
    """A finding whose evidence is valid text of bounded length, whatever the bytes were."""
    return Finding(symbol, tuple([clip(item) for item in evidence]))


def clip(text: str | bytes) -> str:
    """At most EVIDENCE characters of `text`, without lone surrogates."""
    if isinstance(text, bytes):
        return text[:EVIDENCE].decode("utf-8", "replace")
    short = text[:EVIDENCE]
    return short if short.isascii() else short.encode("utf-8", "replace").decode("utf-8", "replace")
