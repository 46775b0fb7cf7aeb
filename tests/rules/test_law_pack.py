"""The values of a pack, its look-ups, and the check that everything it names exists."""

from datetime import date

import msgspec
import pytest

from server.errors import NotFound, Unavailable
from server.law.certificate_number import CertificatePattern, NumberPart
from server.law.closed import Text
from server.law.enforcement_entries import (
    ActivityFloor,
    Commendation,
    Consequence,
    StandingEffect,
    StarClass,
    TerminationKind,
    Tier,
    Violation,
)
from server.law.exam_entries import Proof, Role, RunSheetStep, StaffRule
from server.law.filing_entries import (
    Bar,
    BodyKind,
    ClockRule,
    Criterion,
    Desk,
    FilingStage,
    Material,
    Procedure,
    Quota,
    UpwardReport,
    Validity,
)
from server.law.pack import DatedNumber, Document, Header, Pack
from server.law.references import articles_at, articles_of, faults

T = Text(zh="文", en="text")
DAYS = DatedNumber(name="days", amount=7, unit="days", article="XX:1")
PATTERN = CertificatePattern(
    version="1",
    article="XX:9",
    parts=(NumberPart(code="serial", title=T, length=3, alphabet="digits", given_by="organisation"),),
)


def small(**sections: object) -> Pack:
    """A sound pack of one document, one kind, one desk and one number, with sections replaced."""
    whole: dict[str, object] = {
        "header": Header(
            jurisdiction="small",
            title=T,
            documents=(Document(id="XX", title=T, status="in_force"),),
            province="99",
            default_kind="social",
        ),
        "kinds": (
            BodyKind(code="social", title=T, article="XX:1"),
            BodyKind(code="school", title=T, article="XX:1"),
        ),
        "desks": (Desk(code="city", title=T, article="XX:2"),),
        "numbers": (DAYS,),
        "stages": (
            FilingStage(
                code="notice",
                title=T,
                desk="city",
                article="XX:3",
                clocks=(ClockRule(number="days", starts="published", limit="at_least"),),
            ),
        ),
        "certificate": PATTERN,
    }
    return Pack(**(whole | sections))  # type: ignore[arg-type]


def test_small_pack_is_sound() -> None:
    """A pack whose every reference leads somewhere has no faults."""
    assert faults(small()) == ()
    assert small().jurisdiction == "small"


def test_document_binds_from_its_date_and_a_draft_never() -> None:
    """A document is not in force before its date, is from that day on, and as a draft never is."""
    whole = small()
    (document,) = whole.header.documents
    dated = msgspec.structs.replace(document, in_force_from=date(2026, 5, 1))
    draft = msgspec.structs.replace(document, id="YY", status="draft")
    pack = small(header=msgspec.structs.replace(whole.header, documents=(dated, draft)))
    assert pack.not_in_force(date(2026, 4, 30)) == (dated, draft)
    assert pack.not_in_force(date(2026, 5, 1)) == (draft,)
    assert whole.not_in_force(date(1999, 1, 1)) == ()


def test_number_has_its_value_unit_and_article() -> None:
    """A number is found by its name with what the text says of it."""
    number = small().number("days")
    assert (number.value, number.unit, number.article, number.binding, number.stated) == (
        7,
        "days",
        "XX:1",
        "must",
        True,
    )


def test_unknown_number_is_named() -> None:
    """A number that the pack does not have is an error naming pack and number."""
    with pytest.raises(NotFound) as caught:
        small().number("weeks")
    assert caught.value.facts == {"jurisdiction": "small", "name": "weeks"}


def test_number_that_the_text_leaves_open_has_no_value() -> None:
    """Asking for the value of a number that is not stated is an error, unless the house sets a default."""
    open_number = DatedNumber(name="years", unit="years", article="XX:5", stated=False)
    with pytest.raises(Unavailable) as caught:
        _ = open_number.value
    assert (caught.value.code, caught.value.article) == ("law-number-not-stated", "XX:5")
    ours = msgspec.structs.replace(open_number, amount=4)
    assert ours.value == 4
    assert faults(small(numbers=(DAYS, open_number))) == ()


def test_number_changes_on_its_date_and_keeps_its_past() -> None:
    """A later value holds from its date on, the earlier one before it, and no day asked gives the newest."""
    later = msgspec.structs.replace(DAYS, amount=10, since=date(2027, 1, 1))
    pack = small(numbers=(DAYS, later))
    assert pack.number("days", date(2026, 12, 31)).value == 7
    assert pack.number("days", date(2027, 1, 1)).value == 10
    assert pack.number("days").value == 10
    only_later = small(numbers=(later,))
    with pytest.raises(NotFound):
        only_later.number("days", date(2026, 12, 31))


def test_look_ups_find_by_code_and_name_what_is_missing() -> None:
    """Violations, terminations, procedures are found by code; a missing one is an error of its own."""
    tier = Tier(
        code="grave", title=T, article="XX:6", consequences=(Consequence(code="warn", article="XX:6"),)
    )
    second = Violation(code="XX-2", tier="grave", article="XX:6-2", text=T)
    pack = small(
        tiers=(tier,),
        violations=(Violation(code="XX-1", tier="grave", article="XX:6-1", text=T), second),
        procedures=(
            Procedure(code="other", title=T, article="XX:7", steps=()),
            Procedure(code="end", title=T, article="XX:7", steps=()),
        ),
        terminations=(
            TerminationKind(
                code="early",
                title=T,
                article="XX:7",
                debarment="days",
                debarment_article="XX:7",
                procedure="end",
            ),
            TerminationKind(
                code="ordered",
                title=T,
                article="XX:7",
                debarment="days",
                debarment_article="XX:7",
                procedure="end",
                tier="grave",
            ),
        ),
    )
    assert faults(pack) == ()
    assert pack.violation("XX-2") is second
    assert pack.termination("ordered").tier == "grave"
    assert pack.procedure("end").code == "end"
    for find, code in (
        (pack.violation, "law-violation-unknown"),
        (pack.termination, "law-termination-unknown"),
        (pack.procedure, "law-procedure-unknown"),
    ):
        with pytest.raises(NotFound) as caught:
            find("nothing")
        assert caught.value.code == code


def test_standing_without_an_effect_is_none() -> None:
    """A standing that the pack attaches something to gives its effect and any other gives None."""
    effect = StandingEffect(standing="terminated", article="XX:8", stops=("enrolment",))
    pack = small(effects=(effect,))
    assert pack.effect("terminated") is effect
    assert pack.effect("suspended") is None


def test_stages_and_materials_follow_the_kind_of_body() -> None:
    """A stage or paper of one kind of body is asked of that kind alone, one without kinds of every kind."""
    common = FilingStage(code="common", title=T, desk="city", article="XX:3")
    only = FilingStage(code="only", title=T, desk="city", article="XX:3", kinds=("school",))
    form = Material(code="form", title=T, article="XX:4")
    letter = Material(code="letter", title=T, article="XX:4", kinds=("school",))
    change = Material(code="form", title=T, article="XX:4", filing="change")
    pack = small(stages=(common, only), materials=(form, letter, change))
    assert faults(pack) == ()
    assert pack.stages_for("social") == (common,)
    assert pack.stages_for("school") == (common, only)
    assert pack.materials_for("social") == (form,)
    assert pack.materials_for("school") == (form, letter)
    assert pack.materials_for("social", "change") == (change,)


def test_certificate_pattern_is_that_of_the_day() -> None:
    """The newest pattern in use on a day is found, and no pattern before the oldest."""
    newer = msgspec.structs.replace(PATTERN, version="2", since=date(2027, 1, 1))
    pack = small(certificate=newer, certificate_history=(PATTERN,))
    assert pack.certificate_on(date(2026, 12, 31)).version == "1"
    assert pack.certificate_on(date(2027, 1, 1)).version == "2"
    with pytest.raises(NotFound):
        small(certificate=newer).certificate_on(date(2026, 12, 31))


def test_run_sheet_step_stands_relative_to_start_or_end() -> None:
    """A step before the end moves with the length of the exam and a step after the start does not."""
    after = RunSheetStep(code="a", anchor="start", minutes=30, title=T, who=(), article="XX:1")
    before = RunSheetStep(code="b", anchor="end", minutes=-15, title=T, who=(), article="XX:1")
    assert [after.from_start(90), before.from_start(90)] == [30, 75]
    assert [after.from_start(120), before.from_start(120)] == [30, 105]


CLOCK = ClockRule(number="no", starts="x", limit="within")
STEP = FilingStage(code="step", title=T, desk="city", article="XX:3")


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"stages": (msgspec.structs.replace(STEP, article="XX 3"),)}, "'XX 3' is not of the form"),
        ({"stages": (msgspec.structs.replace(STEP, article="YY:3"),)}, "YY:3 is of a document"),
        ({"stages": (STEP, STEP)}, "stages has ('step', ()) 2 times"),
        ({"roles": (Role(code="chief", title=T, article="XX:1"),) * 2}, "roles has chief 2 times"),
        (
            {"stages": (msgspec.structs.replace(STEP, clocks=(CLOCK,)),)},
            "stage step names the number 'no'",
        ),
        (
            {"criteria": (Criterion(code="size", title=T, article="XX:1", answer="number", minimum="no"),)},
            "criterion size names the number 'no'",
        ),
        ({"criteria": (Criterion(code="plain", title=T, article="XX:1"),)}, None),
        ({"bars": (Bar(code="bad", title=T, article="XX:1", years="no"),)}, "bar bad names the number 'no'"),
        ({"bars": (Bar(code="bad", title=T, article="XX:1"),)}, None),
        (
            {"proofs": (Proof(code="code", title=T, article="XX:1", how="online_code", max_age="no"),)},
            "proof code names the number 'no'",
        ),
        (
            {
                "validity": (
                    Validity(
                        number="no",
                        article="XX:1",
                        renewal_window="days",
                        renewal_article="XX:1",
                        renewal="within_last",
                    ),
                )
            },
            "validity names the number 'no'",
        ),
        (
            {"quotas": (Quota(code="q", title=T, article="XX:1", number="no", per_occupation=True),)},
            "quota q names the number 'no'",
        ),
        (
            {"staff": (StaffRule(role="chief", article="XX:1", number="days", per="site"),)},
            "the role 'chief' is named",
        ),
        ({"stages": (msgspec.structs.replace(STEP, desk="moon"),)}, "stage step names the desk 'moon'"),
        ({"stages": (msgspec.structs.replace(STEP, desk=""),)}, None),
        (
            {
                "reports": (
                    UpwardReport(
                        code="r", title=T, article="XX:1", from_desk="city", to_desk="moon", starts="x"
                    ),
                )
            },
            "report r names the desk 'moon'",
        ),
        (
            {"stages": (msgspec.structs.replace(STEP, kinds=("army",)),)},
            "the kind of body 'army' is named",
        ),
        (
            {"violations": (Violation(code="v", tier="no", article="XX:1", text=T),)},
            "the tier 'no' is named",
        ),
        (
            {
                "terminations": (
                    TerminationKind(
                        code="t",
                        title=T,
                        article="XX:1",
                        debarment="days",
                        debarment_article="XX:1",
                        procedure="no",
                    ),
                )
            },
            "the procedure 'no' is named",
        ),
        (
            {
                "floors": (
                    ActivityFloor(
                        code="f", title=T, article="XX:1", scope="body", idle="no", people="days", ground=""
                    ),
                )
            },
            "floor f names the number 'no'",
        ),
        (
            {"stars": (StarClass(stars=1, outcome="failed", article="XX:1", ground="no"),)},
            "the ground 'no' is named",
        ),
        (
            {
                "commendations": (
                    Commendation(code="m", title=T, article="XX:1", people_over="no"),
                    Commendation(code="n", title=T, article="XX:1"),
                )
            },
            "commendation m names the number 'no'",
        ),
        (
            {"numbers": (DAYS, DatedNumber(name="none", unit="days", article="XX:1"))},
            "the number none has no value",
        ),
        (
            {"numbers": (DAYS, DatedNumber(name="minus", amount=-1, unit="days", article="XX:1"))},
            "the number minus is negative",
        ),
    ],
)
def test_reference_that_leads_nowhere_is_a_fault(sections: dict[str, object], named: str | None) -> None:
    """A pack that names something it does not have, twice or without value, has exactly that one fault."""
    found = faults(small(**sections))
    if named is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert named in found[0]


def test_articles_at_a_path() -> None:
    """A section gives all its articles, a section with a code those of one entry, anything else none."""
    effect = StandingEffect(standing="terminated", article="XX:8", stops=())
    pack = small(effects=(effect,))
    assert articles_at(pack, "stages") == {"XX:3"}
    assert articles_at(pack, "kinds.school") == {"XX:1"}
    assert articles_at(pack, "effects.terminated") == {"XX:8"}
    assert articles_at(pack, "certificate") == {"XX:9"}
    assert articles_at(pack, "stages.moon") == frozenset()
    assert articles_at(pack, "moon") == frozenset()
    quota = Validity(
        number="days", article="XX:4", renewal_window="days", renewal_article="XX:5", renewal="within_last"
    )
    assert articles_at(small(validity=(quota,)), "validity") == {"XX:4", "XX:5"}
    assert articles_at(small(validity=(quota,)), "validity.days") == frozenset()
    assert list(articles_of(DAYS)) == ["XX:1"]
