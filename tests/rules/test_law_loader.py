"""Packs, calendars and clauses read from files: a jurisdiction is data alone, and a fault names its place."""

from pathlib import Path

import pytest

from server.errors import BadInput, NotFound
from server.law.loader import jurisdictions, load_calendar, load_clauses, load_pack
from server.law.workdays import YearUnknown

HEADER = """
[header]
jurisdiction = "tianjin"
title = { zh = "天津市", en = "Tianjin" }
province = "12"
default_kind = "social"

[[header.documents]]
id = "TJ"
title = { zh = "办法", en = "Measure" }
status = "draft"

[[kinds]]
code = "social"
title = { zh = "社评组织", en = "Social body" }
article = "TJ:1"

[[desks]]
code = "city"
title = { zh = "市中心", en = "City centre" }
article = "TJ:2"

[[numbers]]
name = "filing_notice_days"
value = 5
unit = "workdays"
article = "TJ:4"

[[stages]]
code = "notice"
title = { zh = "公示", en = "Notice" }
desk = "city"
article = "TJ:4"
clocks = [{ number = "filing_notice_days", starts = "notice_published", limit = "at_least" }]
"""
CERTIFICATE = """
[certificate]
version = "1"
article = "TJ:9"

[[certificate.parts]]
code = "serial"
title = { zh = "流水号", en = "Serial" }
length = 8
alphabet = "digits"
given_by = "organisation"
"""
CATALOGUE = """
[[tiers]]
code = "grave"
title = { zh = "严重", en = "Grave" }
article = "TJ:6"
consequences = [{ code = "warn", article = "TJ:6" }]

[[violations]]
code = "TJ-1"
tier = "grave"
article = "TJ:6-1"
text = { zh = "一", en = "One" }

[[violations]]
code = "TJ-2"
tier = "grave"
article = "TJ:6-2"
text = { zh = "二", en = "Two" }
consequences = [{ code = "publish", article = "TJ:6-2", binding = "may" }]
"""
CALENDAR = """
year = 2030
number = "notice"
issued = 2029-11-01

[[holidays]]
name = { zh = "元旦", en = "New Year" }
first = 2030-01-01
last = 2030-01-03
make_up = [2030-01-05]
"""


def folder(tmp_path: Path, **files: str) -> Path:
    """A folder of packs with one jurisdiction made of these files."""
    home = tmp_path / "tianjin"
    home.mkdir()
    for name, text in files.items():
        (home / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


def fault_of(tmp_path: Path, **files: str) -> tuple[str, str]:
    """Where and what loading these files complains of."""
    with pytest.raises(BadInput) as caught:
        load_pack("tianjin", folder(tmp_path, **files))
    assert caught.value.code == "law-pack-faulty"
    return str(caught.value.facts["place"]), str(caught.value.facts["fault"])


def test_another_jurisdiction_is_data_alone(tmp_path: Path) -> None:
    """A folder of TOML files for a jurisdiction unknown to the code loads as a whole pack."""
    packs = folder(tmp_path, header=HEADER, certificate=CERTIFICATE, catalogue=CATALOGUE)
    pack = load_pack("tianjin", packs)
    assert jurisdictions(packs) == ("tianjin",)
    assert pack.number("filing_notice_days").value == 5
    assert [stage.code for stage in pack.stages] == ["notice"]
    assert pack.certificate.length == 8
    assert load_pack("tianjin", packs) is pack


def test_violation_takes_its_tiers_consequences_unless_it_has_its_own(tmp_path: Path) -> None:
    """A violation without consequences in the file has its tier's, and one with its own has only those."""
    pack = load_pack("tianjin", folder(tmp_path, a=HEADER, b=CERTIFICATE, c=CATALOGUE))
    assert [entry.code for entry in pack.violation("TJ-1").consequences] == ["warn"]
    assert [(entry.code, entry.binding) for entry in pack.violation("TJ-2").consequences] == [
        ("publish", "may")
    ]


def test_sections_in_several_files_are_joined_in_order(tmp_path: Path) -> None:
    """Lists of one section are joined in order of file name."""
    more = """
[[desks]]
code = "district"
title = { zh = "区", en = "District" }
article = "TJ:3"
"""
    pack = load_pack("tianjin", folder(tmp_path, b=more, a=HEADER, c=CERTIFICATE))
    assert [desk.code for desk in pack.desks] == ["city", "district"]


@pytest.mark.parametrize("name", ["atlantis", "", "..", "../packs/beijing", "Beijing"])
def test_unknown_jurisdiction_is_named(name: str) -> None:
    """A jurisdiction without a folder, or a name that is no code, is an error and never another folder."""
    with pytest.raises(NotFound) as caught:
        load_pack(name)
    assert caught.value.code == "law-pack-unknown"


def test_unknown_key_names_file_and_place(tmp_path: Path) -> None:
    """A misspelt key is an error that names the file, the entry and the key."""
    place, fault = fault_of(
        tmp_path, header=HEADER.replace('desk = "city"', 'dsek = "city"'), certificate=CERTIFICATE
    )
    assert place == "tianjin/header.toml"
    assert "dsek" in fault and "stages[0]" in fault


def test_wrong_value_names_its_place(tmp_path: Path) -> None:
    """A unit that the packs do not know is an error that names the entry."""
    place, fault = fault_of(
        tmp_path, header=HEADER.replace('unit = "workdays"', 'unit = "moons"'), certificate=CERTIFICATE
    )
    assert place == "tianjin/header.toml"
    assert "moons" in fault and "numbers[0].unit" in fault


def test_broken_file_is_named(tmp_path: Path) -> None:
    """A file that is no TOML is an error that names it."""
    place, _ = fault_of(tmp_path, header=HEADER, certificate="[certificate\n")
    assert place == "tianjin/certificate.toml"


def test_two_headers_are_refused(tmp_path: Path) -> None:
    """A header in two files is an error that names the second."""
    place, fault = fault_of(tmp_path, a=HEADER, b=HEADER, c=CERTIFICATE)
    assert place == "tianjin/b.toml" and "header" in fault


def test_pack_without_a_certificate_pattern_is_refused(tmp_path: Path) -> None:
    """A pack that lacks a required section is an error that names the section."""
    _, fault = fault_of(tmp_path, a=HEADER)
    assert "certificate" in fault


def test_header_of_another_folder_is_refused(tmp_path: Path) -> None:
    """A pack whose header names another jurisdiction than its folder is refused."""
    _, fault = fault_of(
        tmp_path, a=HEADER.replace('jurisdiction = "tianjin"', 'jurisdiction = "hebei"'), b=CERTIFICATE
    )
    assert "hebei" in fault


def test_loading_refuses_references_that_lead_nowhere(tmp_path: Path) -> None:
    """A pack that names an unknown tier or number cannot be loaded."""
    broken = CATALOGUE.replace('tier = "grave"', 'tier = "mild"')
    _, fault = fault_of(tmp_path, a=HEADER, b=CERTIFICATE, c=broken)
    assert "mild" in fault


def test_calendar_file_gives_every_day_off(tmp_path: Path) -> None:
    """Days off are every day from first to last, and make-up days stand beside them."""
    (tmp_path / "2030.toml").write_text(CALENDAR, encoding="utf-8")
    for calendar in (load_calendar(folder=tmp_path), load_calendar([2030], tmp_path)):
        found = calendar.notice(2030)
        assert sorted(day.day for day in found.holidays) == [1, 2, 3]
        assert [day.day for day in found.make_up] == [5]


def test_calendar_of_a_missing_year_is_an_error() -> None:
    """Asking for the calendar of a year without a file raises YearUnknown for that year."""
    with pytest.raises(YearUnknown) as caught:
        load_calendar([2026, 2031])
    assert caught.value.year == 2031


def test_installation_may_add_a_year_and_not_replace_one(tmp_path: Path) -> None:
    """A further folder adds its years to the shipped ones, and a year that stands in both is refused."""
    (tmp_path / "2030.toml").write_text(CALENDAR, encoding="utf-8")
    assert load_calendar(added=tmp_path).years == (2024, 2025, 2026, 2030)
    assert load_calendar([2026, 2030], added=tmp_path).years == (2026, 2030)
    with pytest.raises(BadInput) as caught:
        load_calendar(folder=tmp_path, added=tmp_path)
    assert caught.value.facts["year"] == 2030


def test_calendar_file_of_another_year_is_refused(tmp_path: Path) -> None:
    """A calendar file whose name and year differ is refused."""
    (tmp_path / "2031.toml").write_text(CALENDAR, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_calendar([2031], tmp_path)
    assert "2030" in str(caught.value.facts["fault"])


def test_clause_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    """A clause is computable, recorded or out of scope; any other kind is an error that names the clause."""
    path = tmp_path / "clauses.toml"
    path.write_text('[clauses]\n"TJ:1" = { kind = "maybe" }\n', encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_clauses(path)
    assert "maybe" in str(caught.value.facts["fault"])


def test_clauses_of_all_five_regulations_are_listed() -> None:
    """The list holds clauses of all five documents and of no other."""
    clauses = load_clauses()
    assert {clause.split(":")[0] for clause in clauses} == {"BJ-F", "BJ-E", "GX", "AY", "SC"}
