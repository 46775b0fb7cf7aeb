"""What is written down stays true: diagrams, schema, commands, clocks."""

from pathlib import Path

import pytest

from server.app import load_models
from server.cli.main import GROUPS, parser
from server.db.engine import Database
from server.db.migrate import differences, upgrade
from tests.support.database import fresh_postgres_url
from tests.support.diagrams import ROOT, replaced


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


def test_the_readme_names_the_two_commands_first() -> None:
    """The first code block of the README holds `make demo` and `make test`."""
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("```")[1]
    assert "make demo" in block
    assert "make test" in block
