"""What holds for every pack, and the numbers and catalogues of Guangxi, Anyang and Sichuan."""

from collections import Counter
from collections.abc import Iterator
from datetime import date

import msgspec
import pytest

from server.errors import Unavailable
from server.law.closed import Text
from server.law.loader import jurisdictions, load_clauses, load_pack
from server.law.references import articles_of

ALL = jurisdictions()
# What exam affairs ask every pack for; a pack whose text leaves it open holds it as not stated.
COMMON = (
    "plan_filing_days",
    "plan_confirmation_days",
    "candidate_confirmation_days",
    "room_import_days",
    "change_workdays",
    "spot_check_percent",
    "subject_gap_months",
    "result_notice_days",
    "result_upload_days",
    "hand_in_early_minutes",
    "hand_in_late_minutes",
    "room_seats",
    "candidates_per_invigilator",
    "invigilators_per_room",
    "defence_workdays",
    "debarment_years_ordered",
    "filing_validity_years",
    "retention_paper_years",
    "retention_electronic_years",
)


def texts_of(entry: object) -> Iterator[Text]:
    """Every text inside an entry."""
    if isinstance(entry, Text):
        yield entry
    elif isinstance(entry, msgspec.Struct):
        for field in msgspec.structs.fields(entry):
            yield from texts_of(getattr(entry, field.name))
    elif isinstance(entry, tuple):
        for item in entry:
            yield from texts_of(item)


def chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_four_jurisdictions() -> None:
    """There are packs for Anyang, Beijing, Guangxi and Sichuan."""
    assert {"anyang", "beijing", "guangxi", "sichuan"} <= set(ALL)


@pytest.mark.parametrize("jurisdiction", ALL)
def test_every_article_is_a_listed_clause(jurisdiction: str) -> None:
    """No entry of a pack names an article that the list of clauses does not have."""
    assert sorted(set(articles_of(load_pack(jurisdiction))) - set(load_clauses())) == []


@pytest.mark.parametrize("jurisdiction", ALL)
def test_every_text_is_given_in_chinese_and_english(jurisdiction: str) -> None:
    """Each text has Chinese characters in Chinese and none in English."""
    for text in texts_of(load_pack(jurisdiction)):
        assert chinese(text.zh), text
        assert not chinese(text.en), text


@pytest.mark.parametrize("jurisdiction", ALL)
@pytest.mark.parametrize("name", COMMON)
def test_common_number_is_known_or_openly_not_stated(jurisdiction: str, name: str) -> None:
    """Each number that exam affairs ask for is in each pack, with a value exactly when the text states one."""
    number = load_pack(jurisdiction).number(name)
    if number.stated:
        assert number.value > 0
    else:
        with pytest.raises(Unavailable):
            _ = number.value


@pytest.mark.parametrize("jurisdiction", ALL)
def test_each_ground_has_its_own_text_and_a_consequence(jurisdiction: str) -> None:
    """No two grounds of a catalogue say the same, and each has at least one consequence."""
    violations = load_pack(jurisdiction).violations
    assert len({violation.text.zh for violation in violations}) == len(violations)
    assert all(violation.consequences for violation in violations)


@pytest.mark.parametrize(
    ("jurisdiction", "tiers"),
    [
        ("guangxi", {"general": 8, "serious": 8, "especially": 14}),
        ("anyang", {"explain": 4, "interview": 8, "suspend": 8, "terminate": 10}),
        ("sichuan", {"recorded": 4, "unfit": 1, "rectified": 1, "cancelled": 3}),
        ("beijing", {"automatic": 3, "ordered": 16}),
    ],
)
def test_catalogue_has_the_texts_number_of_grounds(jurisdiction: str, tiers: dict[str, int]) -> None:
    """Each tier has as many grounds as its text lists."""
    assert Counter(violation.tier for violation in load_pack(jurisdiction).violations) == tiers


@pytest.mark.parametrize(
    ("tier", "prefix"),
    [
        ("guangxi general", "GX:A3.1.1-"),
        ("guangxi serious", "GX:A3.1.2-"),
        ("guangxi especially", "GX:A3.1.3-"),
        ("anyang explain", "AY:6.1-"),
        ("anyang interview", "AY:6.2-"),
        ("anyang suspend", "AY:6.3-"),
        ("anyang terminate", "AY:6.4-"),
        ("sichuan cancelled", "SC:5.4-"),
    ],
)
def test_ground_stands_under_the_item_of_its_number(tier: str, prefix: str) -> None:
    """The n-th ground of a tier cites the n-th item of the tier's article."""
    jurisdiction, code = tier.split()
    grounds = [violation for violation in load_pack(jurisdiction).violations if violation.tier == code]
    assert [ground.article for ground in grounds] == [f"{prefix}{n}" for n in range(1, len(grounds) + 1)]
    assert [ground.code.split("-")[2] for ground in grounds] == [str(n) for n in range(1, len(grounds) + 1)]


@pytest.mark.parametrize(
    ("jurisdiction", "name", "value", "unit", "article", "binding"),
    [
        ("guangxi", "filing_notice_workdays", 5, "workdays", "GX:A2.2.4", "must"),
        ("guangxi", "evaluation_workdays", 30, "workdays", "GX:A2.2.3", "must"),
        ("guangxi", "filing_workdays", 10, "workdays", "GX:A2.2.5", "must"),
        ("guangxi", "code_report_workdays", 5, "workdays", "GX:A2.2.5", "must"),
        ("guangxi", "testing_filing_workdays", 7, "workdays", "GX:A1.2.3", "must"),
        ("guangxi", "testing_report_workdays", 10, "workdays", "GX:A1.2.3#2", "must"),
        ("guangxi", "level_report_workdays", 10, "workdays", "GX:A2.2.5#2", "must"),
        ("guangxi", "filing_validity_years", 3, "years", "GX:1.2", "must"),
        ("guangxi", "renewal_request_months", 3, "months", "GX:1.2", "must"),
        ("guangxi", "examiners_per_occupation", 3, "people", "GX:A2.1.2", "must"),
        ("guangxi", "bar_years", 3, "years", "GX:A2.1.7-3", "must"),
        ("guangxi", "repeat_years", 1, "years", "GX:A3.1.2-1", "must"),
        ("guangxi", "idle_years_serious", 1, "years", "GX:A3.1.2-3", "must"),
        ("guangxi", "idle_years_especially_serious", 2, "years", "GX:A3.1.3-7", "must"),
        ("guangxi", "rating_years", 3, "years", "GX:3.2", "must"),
        ("guangxi", "retention_paper_years", 3, "years", "GX:2.1", "must"),
        ("guangxi", "retention_electronic_years", 5, "years", "GX:2.1", "must"),
        ("anyang", "missing_material_workdays", 5, "workdays", "AY:2.5", "must"),
        ("anyang", "correction_days", 30, "days", "AY:2.5", "in_principle"),
        ("anyang", "decision_workdays", 15, "workdays", "AY:2.6", "must"),
        ("anyang", "filing_validity_years", 3, "years", "AY:2.9", "must"),
        ("anyang", "renewal_request_days", 30, "days", "AY:2.9", "must"),
        ("anyang", "change_report_days", 30, "days", "AY:2.8#2", "must"),
        ("anyang", "record_years", 3, "years", "AY:2.2-7", "must"),
        ("anyang", "record_people", 2000, "people", "AY:2.2-7", "must"),
        ("anyang", "bodies_in_city", 40, "bodies", "AY:6.5", "in_principle"),
        ("anyang", "bodies_per_occupation_urban", 3, "bodies", "AY:6.5#2", "in_principle"),
        ("anyang", "bodies_per_occupation_county", 2, "bodies", "AY:6.5#2", "in_principle"),
        ("anyang", "idle_months_suspended", 6, "months", "AY:6.3-3", "must"),
        ("anyang", "idle_months_terminated", 12, "months", "AY:6.4-7", "must"),
        ("anyang", "people_floor", 500, "people", "AY:6.4-7", "must"),
        ("anyang", "idle_months_occupation", 12, "months", "AY:6.6", "must"),
        ("anyang", "people_floor_occupation", 300, "people", "AY:6.6", "must"),
        ("anyang", "commended_people", 4000, "people", "AY:7.1-2", "must"),
        ("anyang", "commended_certificates", 10000, "copies", "AY:7.1-2", "must"),
        ("sichuan", "check_workdays", 5, "workdays", "SC:3.1.2-1", "must"),
        ("sichuan", "completion_workdays", 5, "workdays", "SC:3.1.2-2", "must"),
        ("sichuan", "filing_workdays", 15, "workdays", "SC:3.1.2-2", "must"),
        ("sichuan", "change_report_workdays", 5, "workdays", "SC:4#1", "must"),
        ("sichuan", "retention_paper_years", 3, "years", "SC:5.2", "must"),
        ("sichuan", "rectification_months_least", 3, "months", "SC:A1.5-8", "must"),
        ("sichuan", "rectification_months_most", 6, "months", "SC:A1.5-8", "must"),
    ],
)
def test_number_of_the_texts(
    jurisdiction: str, name: str, value: int, unit: str, article: str, binding: str
) -> None:
    """A number has the text's value, unit and strength under the text's article."""
    number = load_pack(jurisdiction).number(name)
    assert (number.value, number.unit, number.article, number.binding) == (value, unit, article, binding)


def test_guangxi_net_time_leaves_out_evaluation_notice_and_ministry() -> None:
    """The ten working days of a self-evaluator's filing leave out three stages; a social body has no such clock."""
    pack = load_pack("guangxi")
    (clock,) = next(stage for stage in pack.stages_for("enterprise") if stage.code == "receipt").clocks
    assert clock.net_of == ("evaluation", "notice", "ministry_code")
    assert next(stage for stage in pack.stages_for("social") if stage.code == "receipt").clocks == ()


def test_guangxi_stars_lead_to_grounds_below_three() -> None:
    """Three stars and more are qualified, two are basic and serious, one fails and is especially serious."""
    stars = {star.stars: (star.outcome, star.ground) for star in load_pack("guangxi").stars}
    assert stars[3] == ("qualified", "")
    assert stars[2] == ("basic", "GX-serious-3")
    assert stars[1] == ("failed", "GX-especially-7")


def test_anyang_silence_accepts_and_delay_abandons() -> None:
    """A check not answered in time counts as accepted and a correction not made in time as abandoned."""
    late = {stage.code: stage.when_late for stage in load_pack("anyang").stages}
    assert late["acceptance"] == "deemed_accepted"
    assert late["correction"] == "deemed_abandoned"


def test_sichuan_is_a_draft_whose_completion_ends_the_procedure() -> None:
    """The Sichuan text is a draft, and missing papers not completed in time end the procedure."""
    pack = load_pack("sichuan")
    assert pack.header.documents[0].status == "draft"
    assert next(stage for stage in pack.stages if stage.code == "completion").when_late == "ended"


def test_sichuan_level_two_in_chengdu_goes_to_the_city_elsewhere_to_the_province() -> None:
    """The first rule for level 2 that asks for Chengdu names the city, the first without a condition the province."""
    rules = [rule for rule in load_pack("sichuan").intake if not rule.levels or 2 in rule.levels]
    assert next(rule.desk for rule in rules if rule.applicant == "in_chengdu") == "city"
    assert next(rule.desk for rule in rules if not rule.applicant) == "province"


@pytest.mark.parametrize(
    ("jurisdiction", "day", "ids"),
    [
        ("beijing", date(2022, 2, 27), ["BJ-E"]),
        ("beijing", date(2022, 2, 28), []),
        ("anyang", date(2022, 12, 31), ["AY"]),
        ("anyang", date(2023, 1, 1), []),
        ("guangxi", date(2020, 1, 1), []),
        ("sichuan", date(2026, 1, 1), ["SC"]),
    ],
)
def test_documents_bind_from_their_date_and_drafts_never(
    jurisdiction: str, day: date, ids: list[str]
) -> None:
    """A document binds from its stated date on, one without a date always, and a draft on no day."""
    assert [document.id for document in load_pack(jurisdiction).not_in_force(day)] == ids


def test_certificate_numbers_of_sichuan_are_not_known() -> None:
    """The pattern of a pack whose text does not number certificates has no length to ask for."""
    pattern = load_pack("sichuan").certificate_on(date(2026, 1, 1))
    with pytest.raises(Unavailable):
        _ = pattern.length


@pytest.mark.parametrize(
    ("jurisdiction", "province"), [("guangxi", "45"), ("anyang", "41"), ("beijing", "11")]
)
def test_certificate_numbers_carry_the_province(jurisdiction: str, province: str) -> None:
    """The province part of a number takes the pack's own province and no other."""
    pack = load_pack(jurisdiction)
    assert pack.header.province == province
    part = next(part for part in pack.certificate.parts if part.code == "province")
    assert part.allowed == (province,)
