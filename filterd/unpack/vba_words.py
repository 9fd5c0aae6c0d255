"""Words of macro sources: names that run by themselves, and calls that documents seldom need."""

import re
from typing import Final

MOST: Final = 12  # words named in a finding

# Procedures that Office calls when a document is opened, closed, printed, or a control of it is shown or moved.
_AUTOEXEC: Final = (
    "Auto_Open",
    "AutoOpen",
    "Auto_Close",
    "AutoClose",
    "AutoExec",
    "AutoExit",
    "AutoNew",
    "Auto_Activate",
    "Auto_Deactivate",
    "Document_Open",
    "DocumentOpen",
    "Document_Close",
    "DocumentBeforeClose",
    "Document_BeforeClose",
    "Document_New",
    "NewDocument",
    "Document_ContentControlOnEnter",
    "Workbook_Open",
    "WorkbookOpen",
    "Workbook_Activate",
    "Workbook_Close",
    "Workbook_BeforeClose",
    "Workbook_SheetActivate",
    "Workbook_SheetCalculate",
    "Worksheet_Activate",
    "Worksheet_Calculate",
    "Worksheet_SelectionChange",
    "Presentation_Open",
    "OnSlideShowPageChange",
    "OnSlideShowTerminate",
    "Item_Open",
    "Application_Startup",
)
# Events of controls: their procedures are called by the control's own name.
_EVENTS: Final = ("Layout", "Painted", "Painting", "MouseHover", "MouseMove", "GotFocus", "Resize", "OnConnecting")

_SUSPICIOUS: Final = (
    "Shell",
    "WScript.Shell",
    "ShellExecute",
    "Shell.Application",
    "CreateObject",
    "GetObject",
    "CallByName",
    "ExecuteExcel4Macro",
    "CreateProcess",
    "CreateThread",
    "VirtualAlloc",
    "VirtualProtect",
    "RtlMoveMemory",
    "EnumSystemLanguageGroupsW",
    "URLDownloadToFile",
    "MSXML2.XMLHTTP",
    "MSXML2.ServerXMLHTTP",
    "Microsoft.XMLHTTP",
    "WinHttp.WinHttpRequest",
    "ADODB.Stream",
    "SaveToFile",
    "Scripting.FileSystemObject",
    "powershell",
    "cmd.exe",
    "mshta",
    "regsvr32",
    "rundll32",
    "certutil",
    "bitsadmin",
    "winmgmts",
    "Win32_Process",
    "RegWrite",
    "SetTimer",
    "StrReverse",
    "Environ",
    "Kill",
    "Run",
    "Lib",
    "AppActivate",
    "SendKeys",
    "MacScript",
    "popen",
    "VBProject",
    "VBComponents",
    "CodeModule",
    "AddFromString",
)
# Those that stand as texts in compiled modules too, and are too long to stand there by chance.
_TELLING: Final = (
    "WScript.Shell",
    "Shell.Application",
    "URLDownloadToFile",
    "MSXML2.XMLHTTP",
    "MSXML2.ServerXMLHTTP",
    "Microsoft.XMLHTTP",
    "WinHttp.WinHttpRequest",
    "ADODB.Stream",
    "Scripting.FileSystemObject",
    "powershell",
    "cmd.exe",
    "regsvr32",
    "rundll32",
    "certutil",
    "bitsadmin",
    "winmgmts",
    "Win32_Process",
)
_BOUND: Final = rb"(?<![A-Za-z0-9_])"


def _words(words: tuple[str, ...]) -> re.Pattern[bytes]:
    """Any of the words as a whole one, in any case."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile(
        _BOUND + rb"(?:" + b"|".join([re.escape(word.encode()) for word in longest]) + rb")(?![A-Za-z0-9_])",
        re.IGNORECASE,
    )


_RUNS: Final = re.compile(
    rb"^[ \t]{0,40}+(?:(?:Public|Private|Static|Friend)[ \t]++){0,3}+(?:Sub|Function)[ \t]++(?:("
    + b"|".join([re.escape(word.encode()) for word in sorted(_AUTOEXEC, key=len, reverse=True)])
    + rb")|[A-Za-z0-9]{1,40}_(?:"
    + b"|".join([word.encode() for word in _EVENTS])
    + rb"))(?![A-Za-z0-9_])",
    re.IGNORECASE | re.MULTILINE,
)
_CALLS: Final = _words(_SUSPICIOUS)
_TEXTS: Final = _words(_TELLING)
_JOINED: Final = re.compile(
    rb'(?:Chr[BW]?\$?[ \t]?\([^()\r\n]{1,20}\)[ \t]?[&+][ \t]?){4}|(?:"[^"\r\n]{0,3}"[ \t]?[&+][ \t]?){6}',
    re.IGNORECASE,
)


def autoexec(source: bytes) -> tuple[str, ...]:
    """Procedures that run by themselves."""
    found = {match[0].split()[-1].decode("ascii", "replace"): None for match in _RUNS.finditer(source)}
    return tuple(found)[:MOST]


def suspicious(source: bytes) -> tuple[str, ...]:
    """Calls and words that documents seldom need, and strings put together piece by piece."""
    spelt = {word.lower(): word for word in _SUSPICIOUS}
    found = {spelt[match[0].decode("ascii").lower()]: None for match in _CALLS.finditer(source)}
    if _JOINED.search(source) is not None:
        found["joined strings"] = None
    return tuple(found)[:MOST]


def telling(compiled: bytes) -> tuple[str, ...]:
    """Words of a compiled module that documents seldom need."""
    spelt = {word.lower(): word for word in _TELLING}
    found = {spelt[match[0].decode("ascii").lower()]: None for match in _TEXTS.finditer(compiled)}
    return tuple(found)[:MOST]
