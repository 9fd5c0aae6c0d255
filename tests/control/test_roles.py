"""Who may what."""

import grp
import os
import pwd

import pytest

from filterd.config.control import Right, Role
from filterd.control import Grant, Peer, Roles

NOBODY = pwd.getpwnam("nobody").pw_uid
STAFF = 50_001  # numbers that no account of a test machine has
DESK = 50_002


def roles(**tables: Role) -> Roles:
    """Roles by name."""
    return Roles.of(tables)


@pytest.mark.parametrize("uid", [0, os.geteuid()], ids=["root", "the daemon's user"])
def test_root_and_the_daemons_user_may_all(uid: int) -> None:
    """Whatever the roles say: they could read the files."""
    assert roles().grant(Peer(1, uid)) == Grant(frozenset(Right), None)


@pytest.mark.threat("OPS-07")
def test_nobody_else_may_anything_without_a_role() -> None:
    """No right, no held mail."""
    found = roles().grant(Peer(1, NOBODY, frozenset({NOBODY})))
    assert found == Grant()
    assert not found.covers(["a@example.org"])


def test_a_role_is_found_by_user_and_by_any_group() -> None:
    """By name and by number; the first group and every other one count."""
    found = roles(
        desk=Role(users=("nobody",), may=(Right.RELEASE,)),
        staff=Role(groups=(str(STAFF), grp.getgrgid(0).gr_name), may=(Right.VIEW,)),
    )
    assert found.problems == ()
    assert found.grant(Peer(1, NOBODY)).rights == {Right.RELEASE}
    assert found.grant(Peer(1, DESK, frozenset({7, STAFF}))).rights == {Right.VIEW}
    assert found.grant(Peer(1, NOBODY, frozenset({0}))).rights == {Right.VIEW, Right.RELEASE}


def test_accounts_that_are_not_there_are_named() -> None:
    """With the role and the key; the others hold."""
    found = roles(desk=Role(users=("no-such-user", "nobody"), groups=("no-such-group",), may=(Right.VIEW,)))
    assert found.problems == (
        "[control.roles.desk] users: expected accounts of this machine, got 'no-such-user'",
        "[control.roles.desk] groups: expected accounts of this machine, got 'no-such-group'",
    )
    assert found.grant(Peer(1, NOBODY)).rights == {Right.VIEW}


@pytest.mark.parametrize(
    ("recipients", "covered"),
    [
        (["a@example.org"], True),
        (["A@EXAMPLE.ORG", "b@deep.sub.test"], True),
        (["a@example.org."], True),
        (["a@example.org", "b@other.test"], False),
        (["a@other.test"], False),
        (["a@sub.test"], False),
        (["a@notexample.org"], False),
        (["a@x.example.org"], False),
        (['"b@example.org"@other.test'], False),
        ([], False),
    ],
)
def test_a_reviewer_sees_mail_all_of_whose_recipients_are_his(recipients: list[str], *, covered: bool) -> None:
    """A release goes to all of them. A dot in front means all below a domain, not the domain."""
    found = roles(desk=Role(users=("nobody",), may=(Right.RELEASE,), domains=("Example.org", ".sub.test")))
    assert found.grant(Peer(1, NOBODY)).covers(recipients) is covered


def test_a_scope_is_of_the_role_that_may_release() -> None:
    """Two scopes add up; a role that may only view has none to give; one without a scope lifts it."""
    view = Role(users=("nobody",), may=(Right.VIEW,))
    one = Role(users=("nobody",), may=(Right.RELEASE,), domains=("one.test",))
    two = Role(groups=(str(STAFF),), may=(Right.RELEASE,), domains=("two.test",))
    whole = Role(groups=(str(DESK),), may=(Right.RELEASE,))
    found = roles(view=view, one=one, two=two, whole=whole)
    assert found.grant(Peer(1, NOBODY)).domains == frozenset({"one.test"})
    assert found.grant(Peer(1, NOBODY, frozenset({STAFF}))).domains == frozenset({"one.test", "two.test"})
    assert found.grant(Peer(1, NOBODY, frozenset({DESK}))).domains is None


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ({"may": ["view"]}, "expected users or groups"),
        ({"users": ["anna"]}, "expected may = one or more of view, reload, release"),
        ({"users": ["anna"], "may": ["view"], "domains": ["a.test"]}, "expected release in `may`"),
        ({"users": ["a b"], "may": ["view"]}, "expected names of accounts"),
        ({"users": ["anna"], "may": ["release"], "domains": ["a@b"]}, "expected domains such as"),
        ({"users": ["anna"], "may": ["everything"]}, "Input should be 'view', 'reload' or 'release'"),
    ],
)
def test_a_role_that_can_mean_nothing_is_refused(role: dict[str, object], words: str) -> None:
    """It is said what was expected."""
    with pytest.raises(ValueError, match=words):
        Role.model_validate(role)
