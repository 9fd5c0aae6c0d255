"""The reviewer's desk: a list of held mail, the message under the cursor, a key for each act. Drawn with Textual."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import DataTable, Footer, Header, Input, Static
from textual.worker import get_current_worker

from filterd.cli.common import safe
from filterd.model.custody import CustodyError
from filterd.operations.review import PAGE, Reviewer
from filterd.quarantine import Entry, State

# From whom and about what comes first: a terminal of 80 columns shows no more.
_COLUMNS: Final = ("received", "score", "from", "subject", "reason", "to", "copies")
_WIDTH: Final = 40  # columns of the longest cell
_WIDTH_FROM: Final = 22  # so that something of the subject is seen beside it
_MARKS: Final = {
    State.HELD: "",
    State.RELEASING: "releasing ",
    State.DELIVERED: "delivered ",
    State.FAILED: "failed ",
    State.DELETED: "deleted ",
    State.EXPIRED: "expired ",
}


class Desk(App[None]):
    """Full screen; all that is slow is done in a thread, so that keys are never late."""

    TITLE = "filterd quarantine"
    CSS = """
    #list { width: 3fr; }
    #preview { width: 2fr; border-left: solid $primary; padding: 0 1; }
    #sought { display: none; }
    #sought.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("r", "act('release')", "Release"),
        ("w", "act('allow')", "Release, allow"),
        ("d", "act('delete')", "Delete"),
        ("u", "act('restore')", "Undo delete"),
        ("k", "act('keep')", "Legal hold"),
        ("s", "act('spam')", "Learn spam"),
        ("h", "act('ham')", "Learn ham"),
        ("slash", "search", "Search"),
        ("a", "all", "All / waiting"),
        ("n", "more", "Older"),
        ("f5", "refresh", "Refresh"),
        ("q", "quit", "Quit"),
    ]

    def __init__(self, reviewer: Reviewer) -> None:
        """Nothing is read before it is shown."""
        super().__init__()
        self._reviewer = reviewer
        self._entries: list[Entry] = []
        self._sought = ""
        self._waiting = True

    def compose(self) -> ComposeResult:
        """A list, a preview, a line to search with."""
        yield Header()
        with Horizontal():
            yield DataTable(id="list", cursor_type="row", zebra_stripes=True)
            with VerticalScroll(id="preview"):
                yield Static(id="text")
        yield Input(placeholder="part of a sender, recipient or subject", id="sought")
        yield Footer()

    def on_mount(self) -> None:
        """Fill the list."""
        self.query_one(DataTable).add_columns(*_COLUMNS)
        self.action_refresh()
        self.query_one(DataTable).focus()

    def action_refresh(self) -> None:
        """Read the newest page again."""
        self._load(None)

    def action_more(self) -> None:
        """Read the page behind."""
        if self._entries:
            self._load(self._entries[-1].id)

    def action_all(self) -> None:
        """Show what waits, or all there is."""
        self._waiting = not self._waiting
        self.action_refresh()

    def action_search(self) -> None:
        """Open the line to search with."""
        sought = self.query_one("#sought", Input)
        sought.add_class("open")
        sought.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search; an empty line ends that."""
        self._sought = event.value.strip()
        event.input.remove_class("open")
        self.query_one(DataTable).focus()
        self.action_refresh()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the message under the cursor."""
        entry = self._under(event.cursor_row)
        if entry is not None:
            self._show(entry)

    def action_act(self, name: str) -> None:
        """Do something with the message under the cursor."""
        entry = self._under(self.query_one(DataTable).cursor_row)
        if entry is not None:
            self._do(name, entry)

    def _under(self, row: int) -> Entry | None:
        return self._entries[row] if 0 <= row < len(self._entries) else None

    @work(thread=True, exclusive=True, group="list")
    def _load(self, before: str | None) -> None:
        try:
            found = self._reviewer.page(self._sought, waiting=self._waiting, before=before)
        except (CustodyError, OSError, sqlite3.Error) as error:
            self.call_from_thread(self.notify, safe(str(error)), severity="error")
            return
        self.call_from_thread(self._fill, found)

    def _fill(self, entries: list[Entry]) -> None:
        self._entries = entries
        table = self.query_one(DataTable)
        table.clear()
        for entry in entries:
            table.add_row(*[_cell(text) for text in _row(entry)], key=entry.id)
        more = f", {PAGE} shown: n for older ones" if len(entries) == PAGE else ""
        self.sub_title = f"{len(entries)} {'waiting' if self._waiting else 'messages'}{more}"
        if not entries:
            self.query_one("#text", Static).update("nothing here")

    @work(thread=True, exclusive=True, group="preview")
    def _show(self, entry: Entry) -> None:
        worker = get_current_worker()
        try:
            text = "\n".join([safe(line) for line in self._reviewer.preview(entry.id)])
        except (KeyError, CustodyError, OSError, sqlite3.Error) as error:
            text = safe(str(error))
        if not worker.is_cancelled:
            self.call_from_thread(self.query_one("#text", Static).update, Text(text))

    @work(thread=True, group="acts")
    def _do(self, name: str, entry: Entry) -> None:
        acts: dict[str, Callable[[], str]] = {
            "release": lambda: self._reviewer.release(entry.id),
            "allow": lambda: self._reviewer.release_allowed(entry.id),
            "delete": lambda: self._reviewer.delete(entry.id),
            "restore": lambda: self._reviewer.restore(entry.id),
            "keep": lambda: self._reviewer.keep(entry),
            "spam": lambda: self._reviewer.teach(entry.id, "spam"),
            "ham": lambda: self._reviewer.teach(entry.id, "ham"),
        }
        try:
            self.call_from_thread(self.notify, safe(f"{entry.subject[:_WIDTH]}: {acts[name]()}"))
        except (KeyError, CustodyError, OSError, sqlite3.Error, ValueError) as error:
            self.call_from_thread(self.notify, safe(str(error)), severity="error")
        self._load(None)


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        datetime.fromtimestamp(entry.received, UTC).strftime("%m-%d %H:%M"),
        f"{entry.score:.1f}",
        (entry.sender or "<>")[:_WIDTH_FROM],
        f"{_MARKS[entry.state]}{entry.subject}",
        entry.code,
        ", ".join(entry.recipients),
        str(entry.copies),
    )


def _cell(text: str) -> Text:
    """Hostile text as it stands: no control bytes, no markup, no more than a cell holds."""
    return Text(safe(text[:_WIDTH]))
