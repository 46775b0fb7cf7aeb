"""What is written down stays true: diagrams, schema, commands, settings, paths, addresses."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cli.main import GROUPS, parser
from server.db.engine import Database
from server.db.migrate import differences, upgrade
from server.settings import load_settings
from server.tables import load_models
from tests.support.database import fresh_postgres_url
from tests.support.diagrams import ROOT, replaced

SETUP = ROOT / "docs" / "setup"
MANUAL = ROOT / "docs" / "manual"
GUIDES = [ROOT / "README.md", *sorted(MANUAL.rglob("*.md")), *sorted(SETUP.glob("*.md"))]
"""What people work by: every command in them must be one that the programme takes."""
WRITTEN = [*GUIDES, *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"))]

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)")
_FOLDERS = ("server", "kiosk", "docs", "tests", "benchmarks", "loadtests", "requirements")
_ROUTE = re.compile(r'@(?:get|post|put|delete|websocket)\(\s*"([^"]+)"')


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _blocks(path: Path, language: str) -> list[str]:
    found = _FENCE.findall(path.read_text(encoding="utf-8"))
    return [block for kind, block in found if kind == language]


def _words(path: Path) -> Iterator[str]:
    """Give what stands in back-quotes outside the blocks."""
    yield from _CODE.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))


def _commands(path: Path) -> list[str]:
    """Return the `gongyuan …` lines of the document's shell blocks, without what runs them."""
    lines = [line.strip() for block in _blocks(path, "sh") for line in block.splitlines()]
    bare = [line.removeprefix("sudo -u gongyuan ") for line in lines]
    return [line for line in bare if line.startswith("gongyuan ")]


def _taken(command: str) -> bool:
    """Tell whether the command line takes these very words, options and choices included."""
    try:
        parser().parse_args(shlex.split(command, comments=True)[1:])
    except SystemExit:
        return False
    return True


def test_the_diagrams_in_the_architecture_are_those_of_the_tables() -> None:
    """Drawing the state diagrams anew changes nothing in ARCHITECTURE.md."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert replaced(text) == text


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_migrated_schema_is_the_fresh_schema(backend: str, tmp_path: Path) -> None:
    """A database brought up by the migrations differs in nothing from today's tables."""
    load_models()
    if backend == "sqlite":
        assert _differences(f"sqlite:///{tmp_path / 'migrated.db'}") == []
        return
    with fresh_postgres_url() as url:
        assert _differences(url) == []


def _differences(url: str) -> list[object]:
    db = Database(url)
    upgrade(db)
    engine = db.sync_engine()
    with engine.connect() as connection:
        found = differences(connection)
    engine.dispose()
    return found


def test_every_command_group_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    """`gongyuan --help` lists every group with a line of its own and ends with status 0."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"    {name}" in said for name in GROUPS if name not in ("database",))


def test_the_examples_of_the_help_are_commands() -> None:
    """Every example that `gongyuan --help` gives is taken as it stands."""
    examples = re.findall(r"^  \S.*?  (gongyuan .+)$", parser().description or "", re.MULTILINE)
    assert len(examples) >= 7
    assert [example for example in examples if not _taken(example)] == []


def test_the_readme_names_the_two_commands_first() -> None:
    """The first code block of the README holds `make demo` and `make test`."""
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("```")[1]
    assert "make demo" in block
    assert "make test" in block


@pytest.mark.parametrize("path", GUIDES, ids=_name)
def test_every_command_of_a_guide_is_taken(path: Path) -> None:
    """Each `gongyuan …` line in a shell block parses with its arguments, and each one in a sentence has a help."""
    assert [command for command in _commands(path) if not _taken(command)] == []
    for words in (shlex.split(code) for code in _words(path) if code.startswith("gongyuan ")):
        acts = [word for word in words[1:] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([*acts, "--help"])
        assert ended.value.code == 0, words


@pytest.mark.parametrize("path", GUIDES, ids=_name)
def test_every_make_task_of_a_guide_exists(path: Path) -> None:
    """Each `make TASK` in a guide is a task of the Makefile."""
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"^ *make ([a-z-]+)", text, re.MULTILINE)) | set(
        re.findall(r"`make ([a-z-]+)", text)
    )
    assert named <= tasks


@pytest.mark.parametrize("path", WRITTEN, ids=_name)
def test_every_path_that_is_named_exists(path: Path) -> None:
    """Each linked file, and each file or folder of the project in back-quotes, is there."""
    text = path.read_text(encoding="utf-8")
    missing = [
        link for link in _LINK.findall(text) if "://" not in link and not (path.parent / link).exists()
    ]
    for word in _words(path):
        first = word.split("/")[0]
        if (
            first in _FOLDERS
            and re.fullmatch(r"[\w./-]+", word)
            and "/" in word
            and not (ROOT / word).exists()
        ):
            missing.append(word)
    assert missing == []


@pytest.mark.parametrize("path", [ROOT / "ARCHITECTURE.md"], ids=_name)
def test_every_source_file_of_the_architecture_exists(path: Path) -> None:
    """Each Python path or room in back-quotes in ARCHITECTURE.md stands in the project or under server/."""
    named = [word for word in _words(path) if re.fullmatch(r"\w+/[\w/]*(\.py)?", word)]
    assert len(named) > 10
    assert [word for word in named if not ((ROOT / word).exists() or (ROOT / "server" / word).exists())] == []


@pytest.mark.parametrize("path", GUIDES, ids=_name)
def test_every_address_of_a_guide_is_a_route(path: Path) -> None:
    """Each `/api/…` address and each page in back-quotes is served by a handler of server/web."""
    routes = {
        re.sub(r":\w+}", "}", route)
        for file in (ROOT / "server" / "web").rglob("*.py")
        for route in _ROUTE.findall(file.read_text(encoding="utf-8"))
    }
    shapes = {re.sub(r"{\w+}", "{}", route) for route in routes}
    named = [
        address
        for word in _words(path)
        for address in re.findall(r"^(?:GET |POST )?(/(?:api/)?[a-z][a-z0-9/{}_-]*)$", word)
    ]
    pages = {route.split("/")[1] for route in shapes if not route.startswith("/api/")}
    known = [one for one in named if one.startswith("/api/") or one.split("/")[1] in pages]
    assert [one for one in known if re.sub(r"{\w+}", "{}", one) not in shapes] == []


@pytest.mark.parametrize("role", ["centre", "registry"])
def test_the_sample_settings_load(role: str) -> None:
    """docs/setup/ROLE.toml is read by load_settings as settings of that role, and its unit starts that role."""
    settings = load_settings(SETUP / f"{role}.toml", "centre" if role == "centre" else "registry")
    assert settings.role == role
    unit = (SETUP / f"gongyuan-{role}.service").read_text(encoding="utf-8")
    (start,) = re.findall(r"^ExecStart=\S+/(gongyuan .+)$", unit, re.MULTILINE)
    assert parser().parse_args(shlex.split(start)[1:]).role == role


def test_the_settings_of_the_quick_start_load(tmp_path: Path) -> None:
    """The README's two settings files are read as a registry's and a centre's."""
    roles = []
    for number, block in enumerate(_blocks(ROOT / "README.md", "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        roles.append(load_settings(file).role)
    assert roles == ["registry", "centre"]


def test_the_sample_of_a_camera_is_a_layout() -> None:
    """The camera set-up shown to technicians is read as a layout, the same in both languages."""
    from server.proctor.seats import layout_from_table

    samples = [_blocks(MANUAL / language / "technician.md", "toml") for language in ("zh", "en")]
    assert samples[0] == samples[1]
    table = tomllib.loads(samples[0][0])
    table.pop("references")
    assert [seat.seat for seat in layout_from_table(table).seats] == ["1"]


def test_the_manuals_stand_in_both_languages() -> None:
    """Each manual exists in Chinese and in English, with the same commands, and the README links both."""
    chinese = {path.name for path in (MANUAL / "zh").glob("*.md")}
    assert chinese == {path.name for path in (MANUAL / "en").glob("*.md")}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in chinese:
        pair = [MANUAL / language / name for language in ("zh", "en")]
        assert len(_commands(pair[0])) == len(_commands(pair[1])), name
        assert all(_name(path) in readme for path in pair), name


def test_the_changelog_speaks_of_this_version() -> None:
    """The newest version in CHANGELOG.md is the version of the distribution."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    newest = re.findall(
        r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert newest[:1] == [version]
