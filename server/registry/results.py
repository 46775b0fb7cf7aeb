"""May this result be taken in? Complete against the notice, after its period, once, and late ones as late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from server.errors import Refusal
from server.law.citing import cites
from server.law.pack import Pack
from server.law.workdays import legal_day
from server.publicity.notice import Notice, Outcome, may_upload, upload_until


@dataclass(frozen=True, slots=True)
class Upload:
    """What a centre uploads: rows, and candidates held back with the reason for each."""

    notice_number: int
    rows: tuple[Outcome, ...]
    held: Mapping[str, str]


@cites("BJ-E:25", "BJ-F:4.2.3-6")
def may_accept(
    notice: Notice,
    upload: Upload,
    taken: frozenset[str],
    open_objections: frozenset[str],
    corrected: frozenset[str],
    now: datetime,
) -> Refusal | None:
    """Return why an upload is refused, or None.

    `taken` are candidates whose result stands already; after a first upload only held ones may follow.
    `corrected`
    are candidates with an upheld objection: only their rows may differ from the notice (a correction
    with cause).
    """
    early = may_upload(notice.period, now)
    if early is not None:
        return early
    if upload.notice_number != notice.number:
        facts = {"given": upload.notice_number, "current": notice.number}
        return Refusal("result-of-other-notice", "BJ-E:25", facts)
    return _rows(notice, upload, taken, open_objections, corrected) or _counts(notice, upload, taken)


def _rows(
    notice: Notice,
    upload: Upload,
    taken: frozenset[str],
    open_objections: frozenset[str],
    corrected: frozenset[str],
) -> Refusal | None:
    noticed = {outcome.candidate: outcome for outcome in notice.rows}
    seen: set[str] = set()
    for row in upload.rows:
        facts = {"ticket": row.ticket}
        if row.candidate in taken or row.candidate in seen:
            return Refusal("result-uploaded-already", "BJ-E:25", facts)
        seen.add(row.candidate)
        if row.candidate not in noticed:
            return Refusal("result-not-noticed", "BJ-E:25", facts)
        if row.candidate in upload.held:
            return Refusal("result-held-and-uploaded", "BJ-E:25", facts)
        if row.candidate in open_objections:
            return Refusal("result-objection-open", "BJ-E:25", facts)
        if row != noticed[row.candidate] and row.candidate not in corrected:
            return Refusal("result-row-differs", "BJ-F:4.2.3-6", facts)
    return None


def _counts(notice: Notice, upload: Upload, taken: frozenset[str]) -> Refusal | None:
    """Counts close: published = uploaded + held; each candidate stands in exactly one of them."""
    uploaded = {row.candidate for row in upload.rows} | taken
    missing = [
        row.ticket
        for row in notice.rows
        if row.candidate not in uploaded and row.candidate not in upload.held
    ]
    if not missing:
        return None
    facts = {"published": len(notice.rows), "uploaded": len(uploaded), "held": len(upload.held)}
    return Refusal("result-incomplete", "BJ-E:25", {**facts, "ticket": missing[0]})


def is_late(pack: Pack, notice: Notice, now: datetime) -> bool:
    """Tell whether an upload now comes after the last day for it; it is recorded as late, never lost."""
    return legal_day(now) > upload_until(pack, notice.period)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many candidates of a plan stand where."""

    enrolled: int
    published: int
    passed: int
    failed: int
    absent: int
    cheated: int
    uploaded: int
    held: int

    def gap(self) -> Refusal | None:
        """Return the first equation that does not hold, or None.

        published = enrolled = pass + fail + absent + cheat; once uploaded, published = uploaded + held.
        """
        results = self.passed + self.failed + self.absent + self.cheated
        if self.published != self.enrolled:
            facts = {"enrolled": self.enrolled, "published": self.published}
            return Refusal("counts-published-not-enrolled", "BJ-E:25", facts)
        if self.published != results:
            return Refusal(
                "counts-results-not-published", "BJ-E:25", {"results": results, "published": self.published}
            )
        if self.uploaded + self.held not in (0, self.published):
            facts = {"published": self.published, "uploaded": self.uploaded, "held": self.held}
            return Refusal("counts-uploaded-not-published", "BJ-E:25", facts)
        return None


def tally(enrolled: int, rows: Sequence[Outcome], uploaded: int, held: int) -> Counts:
    """Return the counts of published rows."""
    results = [row.result for row in rows]
    return Counts(
        enrolled,
        len(rows),
        results.count("pass"),
        results.count("fail"),
        results.count("absent"),
        results.count("cheat"),
        uploaded,
        held,
    )
