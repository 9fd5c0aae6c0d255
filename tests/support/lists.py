"""What healthy block lists answer about their test points: without it filterd suspends them within seconds."""

from pathlib import Path

from filterd.dnsbl import Zone, load_zones
from tests.support.dnsserver import Records

RULES = Path(__file__).resolve().parents[2] / "rules" / "dnsbl.toml"


def point(zone: Zone, text: str) -> str:
    """The name under which a list knows a test point."""
    labels = text.split(".")
    return ".".join(reversed(labels) if labels[-1].isdigit() else labels) + f".{zone.zone}"


def healthy_points(rules: Path = RULES) -> dict[str, dict[str, Records]]:
    """The records of every list in use: what must be listed is, under a code that the list declares."""
    found: dict[str, dict[str, Records]] = {}
    for zone in load_zones(rules):
        if zone.listed:
            code = f"127.0.0.{zone.bits[0][0]}" if zone.bits else next(iter(zone.codes))
            found[point(zone, zone.listed)] = {"A": code}
    return found
