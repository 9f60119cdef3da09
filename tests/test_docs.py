from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

import autokd
from autokd.cli.app import app
from autokd.config.dimensions import Times
from autokd.config.space import Space, former_spaces, read_space
from autokd.config.study import StudyConfig
from autokd.core.setting import SEARCHABLE
from tests.paths import ROOT

RECIPES_PAGE = (ROOT / "docs" / "recipes.md").read_text()
BLOCKS = re.findall(r"```yaml\n# (\w+)\n(.*?)```", RECIPES_PAGE, re.DOTALL)


def test_the_recipes_of_the_docs_hold_and_name_every_field() -> None:
    texts = dict(BLOCKS)
    config = StudyConfig.model_validate(yaml.safe_load(texts["study"]))
    space = Space.model_validate(yaml.safe_load(texts["space"]))
    for model, text in (
        (config, texts["study"]),
        (config.distillation, texts["study"]),
        (config.search, texts["study"]),
        (space, texts["space"]),
    ):
        for name, field in type(model).model_fields.items():
            assert f"{field.alias or name}:" in text


def test_what_the_docs_say_of_the_shipped_spaces_holds() -> None:
    rows = dict(re.findall(r"^\| `(default|private)` \| (.*) \|$", RECIPES_PAGE, re.MULTILINE))
    default, private = read_space("default"), read_space("private")
    methods = re.findall(r"`([a-z_]+)`", rows["default"])
    assert set(methods) == set(map(str, default.method))
    assert set(default.transfer_set) == set(SEARCHABLE)
    assert set(re.findall(r"`([a-z_]+)`", rows["private"])) == set(map(str, private.transfer_set))
    same = {"name", "transfer_set"}
    assert default.model_dump(exclude=same) == private.model_dump(exclude=same)
    assert default.learning_rate == Times(times=(0.5, 1, 2, 4))


def test_the_defaults_of_the_docs_are_the_defaults() -> None:
    written = yaml.safe_load(dict(BLOCKS)["study"])
    config = StudyConfig.model_validate(written)
    assert config == StudyConfig.model_validate(
        {name: value for name, value in written.items() if name not in ("space", "search", "confirmation")}
    )
    space = Space.model_validate(yaml.safe_load(dict(BLOCKS)["space"]))
    assert space.model_copy(update={"name": "default"}) == former_spaces("default")[0]


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = sorted(set(re.findall(r"`([a-z_]+(?:[./][A-Za-z_0-9.]+)*/?)`", ARCHITECTURE)))
PATHS = [name for name in NAMED if name.endswith(("/", ".py"))]
PACKAGE = Path(autokd.__file__).parent
DOTTED = [
    name
    for name in NAMED
    if name not in PATHS
    and "." in name
    and ((PACKAGE / name.split(".")[0]).is_dir() or (PACKAGE / f"{name.split('.')[0]}.py").exists())
]


def test_the_architecture_page_names_modules_and_functions() -> None:
    assert len(PATHS) > 40
    assert len(DOTTED) > 20


@pytest.mark.parametrize("path", PATHS)
def test_every_path_of_the_architecture_page_exists(path: str) -> None:
    assert (PACKAGE / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize("name", DOTTED)
def test_every_name_of_the_architecture_page_resolves(name: str) -> None:
    assert resolve(name) is not None


def resolve(name: str) -> object:
    """The module, or the function or class within one, of a dotted name below `autokd`."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        module = ".".join(["autokd", *parts[:end]])
        try:
            value: object = import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not module.startswith(error.name):
                raise
            continue
        for attribute in parts[end:]:
            value = getattr(value, attribute)
        return value
    raise AssertionError(f"{name} is no module of autokd")


def _options(command: Any) -> set[str]:
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*map(_options, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"], ids=lambda page: page.name
)
def test_every_option_of_a_command_in_the_docs_exists(page: Path) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name, arguments in re.findall(r"\bautokd ([a-z]+)((?: +[^\s`|;#()]+)*)", page.read_text()):
        if name in commands:
            typed = {word.partition("=")[0] for word in arguments.split() if word.startswith("--")}
            typed = {word.rstrip(".,:") for word in typed} - {"--"}
            assert typed <= _options(commands[name]) | {"--debug", "--help", "--version"}, name


def test_security_names_no_option_that_is_gone() -> None:
    known = set().union(*(map(_options, get_command(app).commands.values())))  # type: ignore[attr-defined]
    of_others = {
        *("--editable", "--generate", "--temp-dir", "--debug"),
        *("--node-manager-port", "--object-manager-port", "--min-worker-port", "--max-worker-port"),
        *("--dashboard-port", "--ray-client-server-port", "--runtime-env-agent-port"),
        *("--dashboard-agent-grpc-port", "--dashboard-agent-listen-port", "--metrics-export-port"),
    }
    text = (ROOT / "docs" / "security.md").read_text()
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known | of_others


def test_every_shipped_space_stands_in_help_and_docs() -> None:
    parameters = get_command(app).commands["tune"].params  # type: ignore[attr-defined]
    (option,) = [parameter for parameter in parameters if parameter.name == "space"]
    for space in (ROOT / "search_spaces").glob("*.yaml"):
        assert space.stem in option.help
        assert f"| `{space.stem}` |" in RECIPES_PAGE


def test_the_page_on_the_model_names_no_federation_of_one_machine() -> None:
    assert not re.search(r"digits-[0-9a-f]{8}", (ROOT / "docs" / "use-the-model.md").read_text())
