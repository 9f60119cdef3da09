"""Where each setting comes from, and which are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autokd.errors import InputError
from autokd.service.catalogue import Catalogue
from autokd.service.settings import ServiceSettings, read_settings


def test_options_come_first_then_the_environment_then_the_file_then_defaults(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        '[serve]\nport = 1\nhost = "127.0.0.3"\nrate = 5.0\nhome = "there"\nstudies = ["a.yaml"]\n'
    )
    environment = {
        "AUTOKD_SERVE_PORT": "2",
        "AUTOKD_SERVE_HOST": "127.0.0.2",
        "AUTOKD_STORAGE": "sqlite:///x",
    }
    settings = read_settings({"port": 3, "host": None}, environment, file)
    assert (settings.port, settings.host, settings.rate, settings.max_body) == (3, "127.0.0.2", 5.0, 2**20)
    assert (settings.home, settings.studies) == (tmp_path / "there", (tmp_path / "a.yaml",))
    assert settings.address == "sqlite:///x"


def test_the_file_of_the_working_folder_is_read_if_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({}, {}) == ServiceSettings()
    Path("autokd.toml").write_text('[serve]\ncors = ["https://a.example"]\n[other]\nx = 1\n')
    assert read_settings({}, {}).cors == ("https://a.example",)
    assert read_settings({}, {"AUTOKD_SERVE_CORS": "https://b.example, https://c.example"}).cors == (
        "https://b.example",
        "https://c.example",
    )


@pytest.mark.parametrize(
    ("options", "environment", "content", "words"),
    [
        ({"no_auth": True, "host": "0.0.0.0"}, {}, "", ["no_auth", "0.0.0.0", "autokd token create"]),
        ({"no_auth": True, "host": "tuning.example"}, {}, "", ["no_auth", "tuning.example"]),
        ({}, {"AUTOKD_SERVE_PORT": "many"}, "", ["environment: port:", "not 'many'"]),
        ({}, {}, "[serve]\nprot = 1", ["serve.prot: is no setting; did you mean port?"]),
        ({}, {}, "[serve]\nport = 70000", ["port:", "70000"]),
        ({}, {}, "serve = 1", ["must be a section, [serve]"]),
        ({}, {}, "[serve", ["a.toml"]),
        ({}, {}, "a = " + 100_000 * "[", ["a.toml: is nested too deeply"]),
        ({"cors": ["*"]}, {}, "", ["'*' is no origin"]),
        ({"cors": ["https://a.example/path"]}, {}, "", ["is no origin"]),
    ],
)
def test_what_does_not_hold_is_refused_with_its_source(
    tmp_path: Path, options: dict[str, Any], environment: dict[str, str], content: str, words: list[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        read_settings(options, environment, file)
    for word in words:
        assert word in str(caught.value)


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(ServiceSettings(storage="postgresql://me:hunter2@there/x"))


@pytest.mark.parametrize("name", ["digits.yaml", "a b.yaml", "recipe.txt"])
def test_files_whose_names_cannot_be_served_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"--study .*name"):
        Catalogue(tmp_path, "sqlite://", (tmp_path / name,))


def test_a_file_that_is_not_there_is_refused_when_the_service_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--study .*missing\.yaml.*: there is no such file"):
        Catalogue(tmp_path, "sqlite://", (tmp_path / "missing.yaml",))
