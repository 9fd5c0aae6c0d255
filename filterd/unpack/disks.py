"""Images of discs and drives, and archives that only their own programs open: known by their content, never opened.

Windows, macOS and common unpackers mount or open them, so that what is in them is one click away; nobody here does.
A mark of a few bytes is believed only where what stands around it agrees.
"""

from typing import Final, TypeAlias

Data: TypeAlias = bytes | memoryview

_HEAD: Final = 1_200  # bytes; the last mark looked for stands at 1,080
_FOOT: Final = 512  # bytes; footers of images of drives
_BOOT: Final = b"\x55\xaa"  # ends the first sector of a drive
_SECTOR: Final = 510  # where it stands
_TABLE: Final = 446  # of partitions: four entries of sixteen bytes
_ENTRY: Final = 16
_EXT: Final = 1_024  # where its first block of facts begins
_MARKS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"hsqs", "squashfs"),
    (0, b"sqsh", "squashfs"),
    (0, b"\x45\x3d\xcd\x28", "cramfs"),
    (0, b"KDMV", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"QFI\xfb", "qcow"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"DAA\0\0", "daa"),
    (0, b"IsZ!", "isz"),
    (0, b"CISO\0", "cso"),
    (0, b"\0" + b"\xff" * 10 + b"\0", "cd"),  # sectors as they are on the disc (ECMA-130, 14)
    (3, b"NTFS    ", "ntfs"),
    (3, b"EXFAT   ", "exfat"),
    (54, b"FAT1", "fat"),
    (82, b"FAT32   ", "fat"),
    (512, b"EFI PART", "drive"),
    (1_024, b"H+\0\4", "hfs"),
    (1_024, b"HX\0\5", "hfs"),
    (32, b"NXSB", "apfs"),
)
_CLOSED: Final[tuple[tuple[int, bytes, str], ...]] = (
    (20, b"\xdc\xa7\xc4\xfd", "zoo"),
    (0, b"StuffIt", "stuffit"),
    (10, b"rLau", "stuffit"),
    (0, b"LRZI\0", "lrzip"),
    (0, b"7kSt\xa0", "zpaq"),
    (0, b"zPQ\1", "zpaq"),
    (0, b"zPQ\2", "zpaq"),
    (0, b"ArC\1", "freearc"),
    (0, b"bvx2", "lzfse"),
    (0, b"bvx-", "lzfse"),
    (0, b"\xff\x06\0\0sNaPpY", "snappy"),
    (0, b"SZDD\x88\xf0\x27\x33", "szdd"),
    (0, b"KWAJ\x88\xf0\x27\xd1", "kwaj"),
)
DISKS: Final = frozenset({kind for _, _, kind in _MARKS} | {"vhd", "vhdx", "dmg", "drive", "ext"})
CLOSED: Final = DISKS | {kind for _, _, kind in _CLOSED}


def image(data: Data) -> str:
    """What of these the content is, by its first bytes; empty where none."""
    head = bytes(data[:_HEAD])
    for offset, mark, kind in (*_MARKS, *_CLOSED):
        if head.startswith(mark, offset):
            return kind
    if _is_ext(head):
        return "ext"
    return "drive" if _is_partitioned(head) else ""


def footed(data: Data) -> str:
    """The image of a drive that a footer makes of any content: what stands in front is its first sector."""
    foot = bytes(data[-_FOOT:])
    if foot.startswith(b"conectix"):
        return "vhd"
    return "dmg" if foot.startswith(b"koly\0\0\0\4") else ""


def _is_ext(head: bytes) -> bool:
    """Whether a Linux file system's facts hold: mark, block size, state, revision."""
    block = head[_EXT:]
    if block[56:58] != b"\x53\xef":
        return False
    return int.from_bytes(block[24:28], "little") <= 6 and block[58] <= 7 and block[76:80] in (b"\0\0\0\0", b"\1\0\0\0")  # noqa: PLR2004  # the largest there are


def _is_partitioned(head: bytes) -> bool:
    """Whether a table of partitions ends the first sector: each is active or not, and one at least has a size."""
    if head[_SECTOR : _SECTOR + 2] != _BOOT:
        return False
    entries = [head[at : at + _ENTRY] for at in range(_TABLE, _SECTOR, _ENTRY)]
    used = [entry for entry in entries if entry[4] and entry[12:16] != b"\0\0\0\0"]
    return bool(used) and all(entry[0] in (0, 0x80) for entry in entries)  # inactive, active
