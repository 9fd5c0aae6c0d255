"""The templates of digests: those of a site's folder, else the ones that are shipped. `string.Template`: $name, $$.

A template is trusted; what is put into it is not, and comes escaped for where it goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

MAX_TEMPLATE: Final = 256 << 10  # bytes of one file
HEAD: Final = frozenset(
    {"count", "listed", "more", "since", "until", "recipient", "recipient_url", "sender", "host", "items"}
)
SUBJECT: Final = frozenset({"count", "listed", "since", "until", "recipient", "host"})
ITEM: Final = frozenset(
    {
        "number",
        "id",
        "public_id",
        "received",
        "from",
        "author",
        "to",
        "subject",
        "reason",
        "score",
        "size",
        "recipient",
        "recipient_url",
        "host",
    }
)

_PAGE: Final = """<!DOCTYPE html>
<html><body style="font-family: sans-serif">
{head}
<table cellpadding="6" style="border-collapse: collapse">
<tr style="text-align: left"><th>Received</th><th>From</th><th>{to}Subject</th><th>{last}</th></tr>
$items</table>
{foot}
</body></html>
"""
_ROW: Final = (
    '<tr style="border-top: 1px solid #ccc; vertical-align: top"><td>$received</td><td>$author<br><small>$from</small>'
    "</td><td>{to}$subject</td><td>{last}</td></tr>\n"
)
SHIPPED: Final[Mapping[str, str]] = {
    "recipient.subject": "Held mail for you: $count",
    "recipient.txt": (
        "These messages to $recipient were held since $since, for they look unwanted.\n"
        "Nothing needs to be done about them: they are removed after a while.\n\n"
        "${items}"
        "Listed: $listed of $count.\n\n"
        "If you expect one of them, answer this mail and name its number in brackets.\n"
        "Do not open links or files of a message that you did not expect.\n"
    ),
    "recipient-item.txt": "[$public_id]  $received\n    From:    $author\n    Subject: $subject\n\n",
    "recipient.html": _PAGE.format(
        head=(
            "<p>These messages to <b>$recipient</b> were held since $since, for they look unwanted. Nothing needs to be"
            " done about them: they are removed after a while.</p>"
        ),
        to="",
        last="Number",
        foot=(
            "<p>Listed: $listed of $count.</p>\n<p>If you expect one of them, answer this mail and name its number. Do"
            " not open links or files of a message that you did not expect.</p>"
        ),
    ),
    "recipient-item.html": _ROW.format(to="", last="<code>$public_id</code>"),
    "reviewer.subject": "Held mail on $host: $count",
    "reviewer.txt": (
        "Held on $host from $since to $until, and still waiting.\n\n"
        "${items}"
        "Listed: $listed of $count.\n\n"
        "    filterd quarantine show ID       why it is held\n"
        "    filterd quarantine release ID    give it to its recipients\n"
        "    filterd quarantine delete ID\n"
        "    filterd quarantine review        all of them on a screen\n"
    ),
    "reviewer-item.txt": (
        "$id  $received  $reason  $score\n    From:    $author ($from)\n    To:      $to\n    Subject: $subject\n\n"
    ),
    "reviewer.html": _PAGE.format(
        head="<p>Held on $host from $since to $until, and still waiting.</p>",
        to="To, ",
        last="Reason",
        foot=(
            "<p>Listed: $listed of $count.</p>\n<pre>filterd quarantine show ID\nfilterd quarantine release ID\n"
            "filterd quarantine delete ID\nfilterd quarantine review</pre>"
        ),
    ),
    "reviewer-item.html": _ROW.format(to="<small>$to</small><br>", last="$reason, $score<br><code>$id</code>"),
}


class TemplateError(ValueError):
    """A template cannot be used; the text names the file and says what was expected."""


@dataclass(frozen=True, slots=True)
class Templates:
    """All of them, by name."""

    by_name: Mapping[str, Template]

    def fill(self, name: str, values: Mapping[str, str]) -> str:
        """A template with these values in it."""
        return self.by_name[name].substitute(values)


def load_templates(folder: Path | None) -> Templates:
    """The shipped ones, those in the folder in their place. TemplateError for one that could not be filled."""
    found = {}
    for name, text in SHIPPED.items():
        path = None if folder is None else folder / name
        found[name] = _checked(name, Template(text if path is None else _read(path, text)))
    return Templates(found)


def write_templates(folder: Path) -> list[Path]:
    """Write the shipped ones into a folder, but what is there already. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in SHIPPED.items():
        path = folder / name
        if not path.exists():
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def _read(path: Path, shipped: str) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return shipped
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_TEMPLATE:
        raise TemplateError(f"{path}: expected at most {MAX_TEMPLATE} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise TemplateError(f"{path}: expected UTF-8") from None
    return text.strip() if path.suffix == ".subject" else text


def _checked(name: str, template: Template) -> Template:
    stem, _, kind = name.partition(".")
    known = SUBJECT if kind == "subject" else ITEM if stem.endswith("-item") else HEAD
    if not template.is_valid():
        raise TemplateError(f"{name}: a $ that names nothing: expected $name, or $$ for the sign itself")
    unknown = sorted(set(template.get_identifiers()) - known)
    if unknown:
        names = ", ".join([f"${one}" for one in sorted(known)])
        raise TemplateError(f"{name}: ${unknown[0]} is not known here: expected {names}")
    return template
