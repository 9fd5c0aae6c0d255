from pathlib import Path

import pytest

from filterd.config import Config, ConfigError, config_id, load


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = tmp_path / "filterd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with this text, without the path in front."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.removeprefix(str(path)) for line in caught.value.problems]


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    """Every key has a default."""
    assert load(written(tmp_path, "")) == Config()


def test_values_are_read_with_their_types(tmp_path: Path) -> None:
    """Numbers, lists, networks and nested tables arrive as the models say."""
    config = load(written(tmp_path, '[dns]\ntimeout = 2\n[trust]\nrelays = ["192.0.2.0/24"]\n[actions]\nreject = 20\n'))
    assert (config.dns.timeout, str(config.trust.relays[0]), config.actions.reject) == (2.0, "192.0.2.0/24", 20.0)


@pytest.mark.threat("OPS-05")
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    """The error of a misspelt key says where it stands and what was probably meant."""
    assert problems(tmp_path, '[milter]\n\nlistn = "unix:x"\n') == [
        ':3: [milter] listn: unknown key; did you mean "listen"?'
    ]


@pytest.mark.threat("OPS-05")
def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    """A misspelt section would silently leave everything in it at its default."""
    assert problems(tmp_path, "[actoins]\nreject = 3\n") == [':1: [actoins]: unknown section; did you mean "actions"?']


@pytest.mark.threat("OPS-05")
def test_a_wrong_type_is_never_converted(tmp_path: Path) -> None:
    """A number in quotes is a mistake, not a number."""
    assert problems(tmp_path, '[milter]\nworkers = "4"\n') == [
        ":2: [milter] workers: expected a valid integer, got '4'"
    ]


@pytest.mark.threat("OPS-05")
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    """The second of two equal keys must not win silently."""
    assert problems(tmp_path, "[milter]\nworkers = 1\nworkers = 2\n") == [
        ":3: not valid TOML: this key stands here twice"
    ]


@pytest.mark.threat("OPS-05")
def test_a_variable_is_refused(tmp_path: Path) -> None:
    """The environment is not consulted, so that no secret comes to stand there."""
    [line] = problems(tmp_path, '[redis]\nurl = "${REDIS_URL}"\n')
    assert line.startswith(":2: [redis] url: expected a plain value")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """An operator mends a file in one go."""
    assert len(problems(tmp_path, '[milter]\nworkers = -1\ndeadline = 0\n[log]\nlevel = "verbose"\n')) == 3


@pytest.mark.threat("OPS-05")
def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """The error must not carry into a log what it refuses."""
    [line] = problems(tmp_path, '[redis]\nurl = "redis://:geheim@redis.example/0"\n')
    assert "password_file" in line
    assert "geheim" not in line


@pytest.mark.threat("OPS-05")
def test_a_secret_others_may_read_is_refused_with_key_and_line(tmp_path: Path) -> None:
    """A world-readable password is no secret."""
    secret = tmp_path / "password"
    secret.write_text("geheim\n")
    secret.chmod(0o644)
    [line] = problems(tmp_path, f'[redis]\npassword_file = "{secret}"\n')
    assert line.startswith(":2: [redis] password_file: ")
    assert "other users may read" in line


@pytest.mark.threat("OPS-05")
def test_a_secret_is_not_part_of_the_configuration(tmp_path: Path) -> None:
    """The file's name is kept, its content is not: nothing that prints a configuration can print the password."""
    secret = tmp_path / "password"
    secret.write_text("geheim\n")
    secret.chmod(0o600)
    config = load(written(tmp_path, f'[redis]\npassword_file = "{secret}"\n'))
    assert "geheim" not in repr(config) + config.model_dump_json()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A configuration asked for by name must be there."""
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        load(tmp_path / "absent.toml")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A file in another encoding is told as such."""
    path = tmp_path / "filterd.toml"
    path.write_bytes(b'[replies]\ncontact = "\xff"\n')
    with pytest.raises(ConfigError, match="expected UTF-8"):
        load(path)


def test_the_id_depends_on_values_alone(tmp_path: Path) -> None:
    """The order of keys and a default written out do not change it; a value does."""
    one = load(written(tmp_path, "[milter]\nworkers = 2\n[actions]\nreject = 15\n"))
    two = load(written(tmp_path, "[actions]\n[milter]\nworkers = 2\n"))
    three = load(written(tmp_path, "[milter]\nworkers = 3\n"))
    assert config_id(one) == config_id(two) != config_id(three)


def test_a_configuration_cannot_be_changed() -> None:
    """What was checked is what runs."""
    with pytest.raises(ValueError, match="frozen"):
        Config().milter.workers = 3
