"""Filing, results, certificates, cases and what the public sees."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.affairs.facts import Scope, Standing, StandingStatus
from server.errors import BadInput, Refusal, Tampered
from server.keys.signing import SigningKey
from server.law.loader import load_calendar, load_pack
from server.law.workdays import Period
from server.publicity.notice import Notice, Outcome
from server.registry import certificates, enforcement, filing, results, transparency
from server.registry.certificate_form import CODE_PREFIX, code, qr_svg, signed, verified
from server.registry.certificates import BodyCode, Certificate, CertificateEvent, CertificateState
from server.registry.enforcement import CaseEvent, CaseState
from server.registry.filing import FilingEvent, FilingState, Statement

PACK = load_pack("beijing")
DAY = date(2026, 3, 14)
NOW = datetime(2026, 4, 30, 1, tzinfo=UTC)
WHOLE = Statement({one.code: True for one in PACK.criteria}, {}, frozenset({"basic_form", "work_plan"}))
PASS = Outcome("a", "Ta", 60.0, None, None, "pass")
FAIL = Outcome("b", "Tb", 10.0, None, None, "fail")
NOTICE = Notice(
    "n", "p", 1, NOW - timedelta(days=8), Period(date(2026, 4, 23), date(2026, 4, 29)), "h", (PASS, FAIL)
)


def _code(outcome: object) -> str | None:
    return outcome.code if isinstance(outcome, Refusal) else None


@given(st.sampled_from(list(FilingState)), st.sampled_from(list(FilingEvent)))
def test_filing_steps_follow_the_table(state: FilingState, event: FilingEvent) -> None:
    """A filing's step is the table's, or refused."""
    assert isinstance(filing.step(state, event), Refusal) == ((state, event) not in filing.TRANSITIONS)


def test_an_application_is_received_by_the_district_of_registration() -> None:
    """BJ-F:2.4: an officer of another district is refused and told whose it is; the own one and one without are not."""
    assert filing.at_desk("朝阳区", "朝阳区") is None
    assert filing.at_desk("朝阳区", None) is None
    refusal = filing.at_desk("朝阳区", "海淀区")
    assert refusal is not None
    assert (refusal.article, refusal.facts["district"]) == ("BJ-F:2.4", "朝阳区")


def test_every_shortcoming_is_named() -> None:
    """A missing answer, a bar and a missing paper are all reported; a preferred criterion excludes nobody."""
    assert filing.shortcomings(PACK, "social", WHOLE, DAY) == ()
    without = dict(WHOLE.answers)
    del without["developer"]
    assert filing.shortcomings(PACK, "social", replace(WHOLE, answers=without), DAY) == ()
    without["items"] = False
    bad = Statement(without, {"bad_record": date(2025, 1, 1)}, frozenset({"basic_form"}))
    codes = [one.code for one in filing.shortcomings(PACK, "social", bad, DAY)]
    assert codes == ["filing-criterion-unmet", "filing-barred", "filing-material-missing"]


def test_a_bar_looks_back_five_years_and_the_government_for_ever() -> None:
    """A bad record of 14 March 2021 bars on its fifth anniversary and no more on the day after."""
    on = replace(WHOLE, barred={"bad_record": date(2021, 3, 14)})
    assert len(filing.shortcomings(PACK, "social", on, DAY)) == 1
    assert filing.shortcomings(PACK, "social", on, DAY + timedelta(days=1)) == ()
    unit = replace(WHOLE, barred={"government": date(1990, 1, 1)})
    assert len(filing.shortcomings(PACK, "social", unit, DAY)) == 1


def test_entries_of_other_kinds_do_not_apply() -> None:
    """A criterion or bar that names another kind of body is not asked of this one."""
    import msgspec

    other = msgspec.structs.replace(
        PACK,
        criteria=tuple(msgspec.structs.replace(one, kinds=("school",)) for one in PACK.criteria),
        bars=tuple(msgspec.structs.replace(one, kinds=("school",)) for one in PACK.bars),
    )
    barred = Statement({}, {"government": date(1990, 1, 1)}, WHOLE.materials)
    assert filing.shortcomings(other, "social", barred, DAY) == ()


def test_the_letter_waits_for_the_whole_notice() -> None:
    """A notice published on 2 March allows the letter from 10 March 00:00 in Shanghai."""
    noticed = datetime(2026, 3, 2, 3, tzinfo=UTC)
    allowed = datetime(2026, 3, 9, 16, tzinfo=UTC)
    assert filing.may_issue_letter(PACK, noticed, allowed) is None
    refusal = filing.may_issue_letter(PACK, noticed, allowed - timedelta(seconds=1))
    assert refusal is not None
    assert refusal.facts["allowed_from"] == allowed.isoformat()


def test_debarment_lasts_three_or_five_years() -> None:
    """A voluntary end debars three years, an ordered one five."""
    assert filing.debarred_until(PACK, "voluntary", DAY) == date(2029, 3, 14)
    assert filing.debarred_until(PACK, "ordered", DAY) == date(2031, 3, 14)


_UPLOAD = results.Upload(1, (PASS, FAIL), {})


@pytest.mark.parametrize(
    ("upload", "taken", "open_", "corrected", "expected"),
    [
        (_UPLOAD, (), (), (), None),
        (replace(_UPLOAD, notice_number=2), (), (), (), "result-of-other-notice"),
        (_UPLOAD, ("a",), (), (), "result-uploaded-already"),
        (replace(_UPLOAD, rows=(PASS, PASS, FAIL)), (), (), (), "result-uploaded-already"),
        (replace(_UPLOAD, rows=(PASS, FAIL, replace(PASS, candidate="z"))), (), (), (), "result-not-noticed"),
        (replace(_UPLOAD, held={"a": "x"}), (), (), (), "result-held-and-uploaded"),
        (_UPLOAD, (), ("a",), (), "result-objection-open"),
        (replace(_UPLOAD, rows=(PASS, replace(FAIL, theory=11.0))), (), (), (), "result-row-differs"),
        (replace(_UPLOAD, rows=(PASS, replace(FAIL, theory=11.0))), (), (), ("b",), None),
        (replace(_UPLOAD, rows=(PASS,)), (), (), (), "result-incomplete"),
        (replace(_UPLOAD, rows=(PASS,), held={"b": "x"}), (), ("b",), (), None),
        (replace(_UPLOAD, rows=(FAIL,)), ("a",), (), (), None),
    ],
)
def test_an_upload_is_whole_new_and_as_noticed(
    upload: results.Upload,
    taken: tuple[str, ...],
    open_: tuple[str, ...],
    corrected: tuple[str, ...],
    expected: str | None,
) -> None:
    """Every way in which an upload can miss the notice has its own code; corrections need an upheld objection."""
    outcome = results.may_accept(
        NOTICE, upload, frozenset(taken), frozenset(open_), frozenset(corrected), NOW
    )
    assert _code(outcome) == expected


def test_an_early_upload_is_refused_and_a_late_one_is_late() -> None:
    """The day before the end is too early, 6 May is in time, 7 May is late."""
    early = results.may_accept(
        NOTICE, _UPLOAD, frozenset(), frozenset(), frozenset(), NOW - timedelta(days=1)
    )
    assert _code(early) == "result-before-notice-end"
    assert not results.is_late(PACK, NOTICE, datetime(2026, 5, 6, 15, 59, tzinfo=UTC))
    assert results.is_late(PACK, NOTICE, datetime(2026, 5, 6, 16, 0, tzinfo=UTC))


def test_gaps_in_the_counts_are_named() -> None:
    """Each broken equation has its own code, and closed counts have none."""
    whole = results.tally(2, (PASS, FAIL), 1, 1)
    assert whole.gap() is None
    assert results.tally(2, (PASS, FAIL), 0, 0).gap() is None
    assert _code(results.tally(3, (PASS, FAIL), 0, 0).gap()) == "counts-published-not-enrolled"
    assert _code(results.tally(2, (PASS, FAIL), 1, 0).gap()) == "counts-uploaded-not-published"
    assert _code(replace(whole, passed=0).gap()) == "counts-results-not-published"


@given(st.sampled_from(list(CertificateState)), st.sampled_from(list(CertificateEvent)))
def test_certificate_steps_follow_the_table(state: CertificateState, event: CertificateEvent) -> None:
    """A certificate's step is the table's, or refused; nothing leads out of REVOKED."""
    assert isinstance(certificates.step(state, event), Refusal) == (
        (state, event) not in certificates.TRANSITIONS
    )
    assert (CertificateState.REVOKED, event) not in certificates.TRANSITIONS


def test_a_number_has_22_characters_and_serials_run_out() -> None:
    """Serial 999,999 is the last of a year and level."""
    body = BodyCode("S", "0000", "11", "000001")
    assert certificates.number(PACK, body, DAY, 3, 1) == "S000011000001263000001"
    last = certificates.number(PACK, body, DAY, 3, 999_999)
    assert isinstance(last, str)
    assert len(last) == 22
    assert _code(certificates.number(PACK, body, DAY, 3, 1_000_000)) == "certificate-serials-used-up"


def test_only_a_pass_in_every_subject_of_the_plan_is_numbered() -> None:
    """A fail, a missing subject and an unfiled level get no number."""
    scope, marks = Scope(frozenset({("x", 3)}), frozenset()), {"theory": 60.0, "practical": 60.0}
    assert certificates.may_number(PASS, ("theory",), marks, scope, ("x", 3)) is None
    for outcome, subjects, occupation, expected in (
        (FAIL, ("theory",), ("x", 3), "certificate-not-passed"),
        (PASS, ("theory", "practical"), ("x", 3), "certificate-not-passed"),
        (PASS, ("theory",), ("x", 2), "certificate-outside-scope"),
    ):
        refusal = certificates.may_number(outcome, subjects, marks, scope, occupation)
        assert _code(refusal) == expected


def test_new_numbers_are_held_while_standing_holds_them() -> None:
    """A suspended organisation's numbers start as held."""
    good = Standing("o", StandingStatus.GOOD, 1, NOW, None)
    assert certificates.first_state(good) is CertificateState.NUMBERED
    held = certificates.first_state(replace(good, status=StandingStatus.SUSPENDED))
    assert held is CertificateState.HELD


CERTIFICATE = Certificate(
    "S000011000001263000001", "p", "a", 1, "张 三", "ab" * 32, "训练师", "4-04-05-05", 3, "o", "中心",
    80.0, None, None, CertificateState.ISSUED, NOW, NOW, "",
)  # fmt: skip


def test_the_public_sees_issued_and_revoked_ones_by_their_name_only() -> None:
    """Number and name together show a certificate; held and numbered ones, and other names, show nothing."""
    shown = transparency.public_certificate(CERTIFICATE, "张三")
    assert shown is not None
    assert shown.state == "issued"
    assert transparency.public_certificate(CERTIFICATE, "李四") is None
    assert transparency.public_certificate(replace(CERTIFICATE, issued_at=None), "张三") is None
    held = replace(CERTIFICATE, state=CertificateState.HELD)
    assert transparency.public_certificate(held, "张三") is None
    revoked = replace(CERTIFICATE, state=CertificateState.REVOKED)
    assert transparency.public_certificate(revoked, "张三") is not None


def test_the_signed_document_leaves_out_scores_that_do_not_exist() -> None:
    """A certificate of theory alone names no practical score, and an unissued one no day."""
    document = CERTIFICATE.document("00" * 32, "市中心")
    assert document["scores"] == {"theory": 80.0}
    assert replace(CERTIFICATE, issued_at=None).document("", "")["issued_at"] is None


def test_both_forms_verify_and_one_changed_character_does_not() -> None:
    """The JSON and the code of the same certificate verify under its key and under no other."""
    key = SigningKey.generate()
    data = signed(key, CERTIFICATE.document(key.public.hex(), "市中心"))
    assert verified(data, key.public) == verified(code(data).encode(), key.public)
    with pytest.raises(Tampered):
        verified(data.replace(b'"level":3', b'"level":1'), key.public)
    with pytest.raises(Tampered):
        verified(data, SigningKey.generate().public)
    assert b"<svg" in qr_svg(data)


@given(st.binary(max_size=60))
def test_any_other_bytes_are_refused_by_their_form(data: bytes) -> None:
    """Bytes that are neither form end in BadInput and in no other error, with and without the code's prefix."""
    key = bytes(32)
    for text in (data, CODE_PREFIX.encode() + data):
        with pytest.raises(BadInput):
            verified(text, key)


@given(st.sampled_from(list(CaseState)), st.sampled_from(list(CaseEvent)))
def test_case_steps_follow_the_table(state: CaseState, event: CaseEvent) -> None:
    """A case's step is the table's, or refused; closed cases stay closed."""
    assert isinstance(enforcement.step(state, event), Refusal) == (
        (state, event) not in enforcement.TRANSITIONS
    )
    assert not (state in enforcement.CLOSED and (state, event) in enforcement.TRANSITIONS)


def test_defence_has_fifteen_working_days() -> None:
    """A finding received on Thursday 12 March 2026 may be answered until 2 April, and decided on from 3 April."""
    until = enforcement.defence_until(PACK, load_calendar(), date(2026, 3, 12))
    assert until == date(2026, 4, 2)
    assert isinstance(until, date)
    end = datetime(2026, 4, 2, 16, tzinfo=UTC)
    assert enforcement.may_defend(until, end - timedelta(seconds=1)) is None
    assert _code(enforcement.may_defend(until, end)) == "case-defence-late"
    state = CaseState.FOUND
    assert (
        _code(enforcement.may_uphold(state, until, end - timedelta(seconds=1))) == "case-defence-still-open"
    )
    assert enforcement.may_uphold(state, until, end) is None
    assert enforcement.may_uphold(CaseState.DEFENDED, until, end - timedelta(days=9)) is None


def test_suspicion_suspends_and_only_an_upheld_case_terminates() -> None:
    """An open case suspends, a dismissed one restores, an upheld ground of the catalogue ends the filing."""
    for state in (CaseState.OPENED, CaseState.FOUND, CaseState.DEFENDED):
        assert enforcement.standing_in(PACK, "BJ-ordered-5", state) is StandingStatus.SUSPENDED
    assert enforcement.standing_in(PACK, "BJ-ordered-5", CaseState.DISMISSED) is StandingStatus.GOOD
    assert enforcement.standing_in(PACK, "BJ-ordered-5", CaseState.UPHELD) is StandingStatus.TERMINATED
