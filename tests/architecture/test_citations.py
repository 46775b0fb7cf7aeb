"""Citations: cited articles and read paths exist, and fewer and fewer computable clauses are uncited."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import server
from server.law.citing import cited, read_paths
from server.law.loader import jurisdictions, load_clauses, load_pack
from server.law.references import articles_at, named_numbers

# Migrations run only under Alembic; the command line, the demo and the wiring decide nothing.
WITHOUT_RULES = (
    "server.db.migrations",
    "server.__main__",
    "server.cli",
    "server.demo",
    "server.app",
)

SERVER = Path(__file__).resolve().parents[2] / "server"

# The number of computable clauses of the two Beijing texts that no function rests on. It may only fall.
UNCITED_BEIJING_AT_MOST = 20


@pytest.fixture(scope="module")
def whole_server() -> list[str]:
    """The names of the modules that hold rules, all imported, so that every citation is recorded."""
    names = []
    for module in pkgutil.walk_packages(server.__path__, "server."):
        if module.name.startswith(WITHOUT_RULES):
            continue
        importlib.import_module(module.name)
        names.append(module.name)
    return names


def cited_articles() -> dict[str, set[str]]:
    """Article → functions that cite it or that read an entry which some pack holds under it."""
    found = {article: set(names) for article, names in cited().items()}
    packs = [load_pack(jurisdiction) for jurisdiction in jurisdictions()]
    for path, names in read_paths().items():
        for pack in packs:
            for article in articles_at(pack, path):
                found.setdefault(article, set()).update(names)
    return found


def uncited(*documents: str) -> list[str]:
    """The computable clauses of these documents that no imported function rests on."""
    found = cited_articles()
    return [
        clause
        for clause, content in load_clauses().items()
        if content.kind == "computable" and clause.split(":")[0] in documents and clause not in found
    ]


def test_cited_articles_exist(whole_server: list[str]) -> None:
    """No function cites an article that the list of clauses does not have."""
    clauses = load_clauses()
    strange = {article: names for article, names in cited().items() if article not in clauses}
    assert strange == {}


def test_read_paths_exist(whole_server: list[str]) -> None:
    """Each path that a function says it reads is held by at least one pack."""
    packs = [load_pack(jurisdiction) for jurisdiction in jurisdictions()]
    empty = [path for path in read_paths() if not any(articles_at(pack, path) for pack in packs)]
    assert empty == []


def test_a_number_said_to_be_read_is_asked_for(whole_server: list[str]) -> None:
    """A number that a function says it reads is asked for by name in its room, or named by an entry of a pack."""
    packs = [load_pack(jurisdiction) for jurisdiction in jurisdictions()]
    named = {name for pack in packs for _, name in named_numbers(pack)}
    silent = []
    for path, functions in read_paths().items():
        section, _, number = path.partition(".")
        if section != "numbers" or not number or number in named:
            continue
        for function in functions:
            room = SERVER / function.split(".")[1]
            sources = "".join(file.read_text(encoding="utf-8") for file in sorted(room.rglob("*.py")))
            if f'"{number}"' not in sources:
                silent.append((path, function))
    assert silent == []


def test_packs_name_only_listed_clauses() -> None:
    """No entry of any pack names an article that the list of clauses does not have."""
    clauses = set(load_clauses())
    for jurisdiction in jurisdictions():
        pack = load_pack(jurisdiction)
        documents = {document.id for document in pack.header.documents}
        named = {article for section in pack.__struct_fields__ for article in articles_at(pack, section)}
        assert sorted(named - clauses) == []
        assert documents <= {clause.split(":")[0] for clause in clauses}


def test_uncited_clauses_only_become_fewer(whole_server: list[str]) -> None:
    """At most the stated number of computable Beijing clauses is uncited."""
    missing = uncited("BJ-F", "BJ-E")
    assert len(missing) <= UNCITED_BEIJING_AT_MOST, missing
