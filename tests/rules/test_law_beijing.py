"""The Beijing pack: each number, stage, ground and step as the two Beijing texts have it."""

from collections import Counter
from datetime import date

import pytest

from server.errors import Unavailable
from server.law.loader import load_pack

PACK = load_pack("beijing")


@pytest.mark.parametrize(
    ("name", "value", "unit", "article", "binding"),
    [
        ("plan_filing_days", 20, "days", "BJ-E:8", "must"),
        ("plan_confirmation_days", 15, "days", "BJ-E:8", "must"),
        ("candidate_confirmation_days", 12, "days", "BJ-E:12", "must"),
        ("room_import_days", 7, "days", "BJ-E:15", "must"),
        ("change_workdays", 3, "workdays", "BJ-E:23", "must"),
        ("spot_check_percent", 30, "percent", "BJ-E:13", "must"),
        ("subject_gap_months", 1, "months", "BJ-E:A1.n6", "must"),
        ("filing_notice_days", 7, "days", "BJ-F:2.5.4", "must"),
        ("result_notice_days", 7, "days", "BJ-E:25", "must"),
        ("result_upload_days", 7, "days", "BJ-E:25", "must"),
        ("hand_in_early_minutes", 30, "minutes", "BJ-E:A5.2-9", "must"),
        ("hand_in_late_minutes", 15, "minutes", "BJ-E:A5.2-10", "must"),
        ("room_seats", 30, "seats", "BJ-E:A3.3-1", "in_principle"),
        ("candidates_per_invigilator", 15, "people", "BJ-E:A3.1-2", "must"),
        ("invigilators_per_room", 2, "people", "BJ-E:A3.1-2", "in_principle"),
        ("defence_workdays", 15, "workdays", "BJ-F:4.3.2-2", "must"),
        ("debarment_years_voluntary", 3, "years", "BJ-F:4.4.4", "must"),
        ("debarment_years_automatic", 3, "years", "BJ-F:4.4.4", "must"),
        ("debarment_years_ordered", 5, "years", "BJ-F:4.4.4", "must"),
        ("retention_paper_years", 3, "years", "BJ-E:29", "must"),
        ("retention_electronic_years", 5, "years", "BJ-E:29", "must"),
        ("voluntary_posting_workdays", 30, "workdays", "BJ-F:4.3.1-1", "must"),
        ("risk_review_workdays", 15, "workdays", "BJ-F:4.3.1-2", "must"),
        ("termination_notice_workdays", 15, "workdays", "BJ-F:4.3.1-3", "must"),
        ("renewal_request_months", 3, "months", "BJ-F:4.2.2-1", "must"),
        ("bar_years", 5, "years", "BJ-F:2.1.8-1", "must"),
        ("idle_years", 1, "years", "BJ-F:4.2.3-8", "must"),
        ("diploma_code_days", 180, "days", "BJ-E:A2-3", "must"),
        ("desk_spacing_centimetres", 80, "centimetres", "BJ-E:A3.3-2", "must"),
        ("affairs_staff_per_site", 3, "people", "BJ-E:A3.1-3", "must"),
        ("secrecy_officers_per_site", 1, "people", "BJ-E:A3.1-3", "must"),
        ("rooms_per_floating_invigilator", 10, "rooms", "BJ-E:A3.1-3", "must"),
        ("paper_keepers", 2, "people", "BJ-E:A4.3-3", "must"),
        ("paper_escorts", 2, "people", "BJ-E:A4.1-10", "must"),
    ],
)
def test_number_of_the_texts(name: str, value: int, unit: str, article: str, binding: str) -> None:
    """A number has the text's value, unit and strength under the text's article."""
    number = PACK.number(name)
    assert (number.value, number.unit, number.article, number.binding) == (value, unit, article, binding)
    assert number.stated


def test_numbers_of_model_annexes_are_defaults() -> None:
    """Every stated number of Annexes 2 to 5 is a default a body may change, and no other number is one."""
    for number in PACK.numbers:
        model = number.article.startswith(("BJ-E:A2", "BJ-E:A3", "BJ-E:A4", "BJ-E:A5"))
        assert number.template == (model and number.stated), number.name


@pytest.mark.parametrize("name", ["filing_validity_years", "latest_arrival_minutes"])
def test_number_that_the_texts_leave_open(name: str) -> None:
    """A filing's validity and the latest arrival are not stated; asking for their value is an error."""
    assert not PACK.number(name).stated
    with pytest.raises(Unavailable):
        _ = PACK.number(name).value


def test_documents_carry_their_standing_and_dates() -> None:
    """The exam rules are a trial in force since 2022-02-28, and the filing rules carry no date."""
    filing, exams = PACK.header.documents
    assert (filing.id, filing.in_force_from, filing.status) == ("BJ-F", None, "in_force")
    assert (exams.id, exams.in_force_from, exams.status) == ("BJ-E", date(2022, 2, 28), "trial")


def test_filing_passes_district_city_notice_and_letter() -> None:
    """A filing has six stages, the first two in the district, and its notice stands at least 7 days."""
    stages = PACK.stages_for("social")
    assert [(stage.code, stage.desk) for stage in stages] == [
        ("application", "registration_district"),
        ("recommendation", "registration_district"),
        ("evaluation", "city_centre"),
        ("notice", "city_centre"),
        ("letter", "city_centre"),
        ("publication", "city_centre"),
    ]
    (clock,) = stages[3].clocks
    assert (PACK.number(clock.number).value, clock.limit) == (7, "at_least")
    assert len(stages[2].checks) == 5


def test_plan_steps_count_down_to_the_first_exam() -> None:
    """Four steps come 20, 15, 12 and 7 days before the first exam; only the last stops the plan if late."""
    steps = [step for step in PACK.plan_steps if step.anchor == "first_exam_day"]
    assert [PACK.number(step.number).value for step in steps] == [20, 15, 12, 7]
    assert [step.consequence for step in steps] == ["not_stated", "not_stated", "not_stated", "plan_stops"]
    (change,) = [step for step in PACK.plan_steps if step.anchor == "exam_day"]
    assert PACK.number(change.number).unit == "workdays"
    assert change.only_for is not None


def test_yearly_plan_and_notice() -> None:
    """The overall plan is sent by the end of November before the year, the notice by its end of January."""
    assert [(step.code, step.month, step.years_ahead) for step in PACK.yearly] == [
        ("overall_plan", 11, 1),
        ("yearly_notice", 1, 0),
    ]


def test_subjects_follow_each_other_within_a_month() -> None:
    """Theory comes first, practical and review each within the month after the subject before."""
    assert [(subject.code, subject.within) for subject in PACK.subjects] == [
        ("theory", ""),
        ("practical", "subject_gap_months"),
        ("review", "subject_gap_months"),
    ]


def test_catalogue_has_three_automatic_and_sixteen_ordered_grounds() -> None:
    """The grounds are numbered as in the text, 3 automatic and 16 ordered, each under its own article."""
    assert Counter(violation.tier for violation in PACK.violations) == {"automatic": 3, "ordered": 16}
    for violation in PACK.violations:
        _, tier, number = violation.code.split("-")
        section = {"automatic": "2", "ordered": "3"}[tier]
        assert violation.article == f"BJ-F:4.2.{section}-{number}"
        assert violation.tier == tier


@pytest.mark.parametrize(
    ("kind", "years", "credit_file"),
    [("voluntary", 3, False), ("automatic", 3, False), ("ordered", 5, True)],
)
def test_debarment_follows_the_kind_of_termination(kind: str, years: int, credit_file: bool) -> None:
    """A body stays out 3 years after a voluntary or automatic end, 5 and on file after an ordered one."""
    termination = PACK.termination(kind)
    assert PACK.number(termination.debarment).value == years
    assert termination.credit_file is credit_file
    grounds = [violation for violation in PACK.violations if violation.tier == termination.tier]
    for violation in grounds:
        codes = {consequence.code for consequence in violation.consequences}
        assert {"terminate", "publish", "debar"} <= codes
        assert ("credit_file" in codes) is credit_file


def test_defence_follows_the_finding() -> None:
    """Automatic and ordered ends give 15 working days of defence between finding and decision."""
    for kind in ("automatic", "ordered"):
        steps = PACK.procedure(PACK.termination(kind).procedure).steps
        codes = [step.code for step in steps]
        assert (
            codes.index("finding") < codes.index("defence") < codes.index("review") < codes.index("decision")
        )
        (clock,) = steps[codes.index("defence")].clocks
        assert (PACK.number(clock.number).value, clock.starts, clock.limit) == (
            15,
            "finding_received",
            "within",
        )


def test_investigation_stops_new_acts_and_holds_certificates() -> None:
    """An investigated body may not enrol, plan, receive packages or start, and its certificates are held."""
    effect = PACK.effect("investigated")
    assert effect is not None
    assert set(effect.stops) == {"enrolment", "plan", "exam_package", "start"}
    assert effect.holds == ("certificate",)
    assert len(effect.goes_on) == 2


def test_terminated_body_stops_publicity_and_recruiting_too() -> None:
    """A terminated body may do all an investigated one may not, nor publicity, recruiting or a new filing."""
    investigated, terminated = PACK.effect("investigated"), PACK.effect("terminated")
    assert investigated is not None and terminated is not None
    assert set(terminated.stops) - set(investigated.stops) == {"publicity", "recruiting", "filing"}


def test_run_sheet_of_the_ninety_minute_model() -> None:
    """For 90 minutes from 8:30 the steps fall on the clock times of the model, in order."""
    minutes = PACK.number("model_exam_minutes").value
    times = [8 * 60 + 30 + step.from_start(minutes) for step in PACK.run_sheet]
    assert times == sorted(times)
    shown = list(dict.fromkeys(f"{time // 60}:{time % 60:02}" for time in times))
    assert shown == [
        "7:30",
        "7:35",
        "7:40",
        "7:50",
        "8:05",
        "8:20",
        "8:25",
        "8:30",
        "9:00",
        "9:45",
        "10:00",
        "10:05",
    ]


def test_hand_in_steps_agree_with_the_hand_in_numbers() -> None:
    """The run sheet opens and closes hand-in at the very minutes that the numbers give."""
    steps = {step.code: step for step in PACK.run_sheet}
    assert steps["hand_in_opens"].minutes == PACK.number("hand_in_early_minutes").value
    assert steps["hand_in_closes"].minutes == -PACK.number("hand_in_late_minutes").value
    assert steps["hand_in_closes"].anchor == "end"


def test_results_take_four_values() -> None:
    """A result is pass, fail, absent or cheat."""
    assert [value.code for value in PACK.results] == ["pass", "fail", "absent", "cheat"]


def test_roster_is_kept_for_ever() -> None:
    """Paper is kept 3 years, electronic records 5, and the roster has no number of years."""
    kept = {rule.record: PACK.number(rule.number).value if rule.number else None for rule in PACK.retention}
    assert kept == {"paper": 3, "electronic": 5, "roster": None}


def test_certificate_pattern_is_marked_as_not_from_the_texts() -> None:
    """The pattern of 22 characters says that no text of the pack states it."""
    assert PACK.certificate.length == 22
    assert not PACK.certificate.stated
