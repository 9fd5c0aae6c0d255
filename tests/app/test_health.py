"""What health is."""

from typing import Any

import pytest

from filterd.app.health import Health, judged

FRONT = {"pid": 1, "draining": False}
WELL: dict[str, Any] = {
    "alive": True,
    "phase": "serving",
    "front_processes": [FRONT, FRONT],
    "workers": 2,
    "inspectors_serving": 4,
    "store_state": {"kind": "Redis", "answers": True, "ms": 0.2, "left_alone_by": 0},
    "suspended_lists": {},
    "unprotected_since": "",
    "rule_files_left_out": [],
    "queue": {"held": 3, "bytes": 9, "releases_due": 0},
    "model": {"state": "warning", "text": "has learnt nothing"},
    "reload": {"good": True, "cause": ""},
    "sandbox": {"namespaces": False, "chroot": False, "landlock": 3, "seccomp": True},
}


def test_all_is_well() -> None:
    """A model that has not learnt enough yet is no fault, and neither is held mail."""
    assert judged(WELL) == {"health": Health.OK, "problems": []}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alive": False}, "the supervisor hangs"),
        ({"phase": "stopping"}, "no new mail is taken: stopping"),
        ({"front_processes": [FRONT | {"draining": True}]}, "no front serves"),
        ({"inspectors_serving": 0}, "no inspector reads mail"),
    ],
)
def test_what_keeps_mail_from_being_filtered_is_failure(change: dict[str, Any], words: str) -> None:
    """It is said what and what to look at."""
    found = judged(WELL | change)
    assert found["health"] == Health.FAILED
    assert words in found["problems"][0]


@pytest.mark.threat("RES-03")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"front_processes": [FRONT, FRONT | {"draining": True}]}, "1 of 2 fronts serve"),
        ({"store_state": {"kind": "Redis", "answers": False, "cause": "refused", "left_alone_by": 2}}, "(refused)"),
        ({"store_state": {"kind": "Redis", "answers": True, "left_alone_by": 1}}, "1 fronts leave Redis alone"),
        (
            {"suspended_lists": {"zen.test": {}}, "unprotected_since": "noon"},
            "unprotected since noon: mail is not checked against zen.test",
        ),
        ({"rule_files_left_out": ["a.yar: no"]}, "1 rule files are left out"),
        ({"queue": {"trouble": "disk"}}, "held mail cannot be looked at: disk"),
        ({"model": {"state": "failed", "text": "damaged"}}, "the classifier's model: damaged"),
        (
            {"reload": {"good": False, "cause": "filterd.toml:3: no such key\nand more"}},
            "the last reload failed, what was loaded before goes on: filterd.toml:3: no such key",
        ),
    ],
)
def test_what_is_missing_while_mail_is_filtered_is_less(change: dict[str, Any], words: str) -> None:
    """Degraded, and it is said what is missing."""
    found = judged(WELL | change)
    assert found["health"] == Health.DEGRADED
    assert words in found["problems"][0]


@pytest.mark.threat("OPS-03")
@pytest.mark.parametrize(
    ("landlock", "seccomp", "health"),
    [(0, False, Health.DEGRADED), (0, True, Health.OK), (1, False, Health.OK)],
)
def test_inspectors_without_walls_are_a_lack(landlock: int, seccomp: bool, health: Health) -> None:  # noqa: FBT001  # a row
    """Namespaces and an empty root alone leave all calls of the kernel; one of the others is what a host may have."""
    walls = {"namespaces": True, "chroot": True, "landlock": landlock, "seccomp": seccomp}
    found = judged(WELL | {"sandbox": walls})
    assert found["health"] == health
    assert found["problems"] == [] or "without Landlock and seccomp" in found["problems"][0]
