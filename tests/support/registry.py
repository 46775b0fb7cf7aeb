"""The way to a filed organisation, a packed plan and a published notice, through the use cases themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from stdnum.cn import ric

from server.affairs import packaging, roster_service, service
from server.affairs.facts import Candidate, Plan
from server.affairs.roster_service import Applicant, RoomDraft, StaffDraft
from server.affairs.service import PlanDraft, SlotDraft
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.keys.identity import Identity
from server.law.loader import load_pack
from server.packages.contents import NoticeContent, NoticeRow, ResultContent
from server.publicity.service import accept_notice
from server.registry import filing_service as filings
from server.registry.certificates import BodyCode
from server.registry.filing import Statement
from server.registry.filing_service import Application, Letter, Occupation, Venue

PACK = load_pack("beijing")
ORGANISATION = "91110105MA0000001X"
PLACE = "第一考点"
TRAINER = ("4-04-05-05", "人工智能训练师", 3)
FIRST = datetime(2026, 4, 20, 0, 30, tzinfo=UTC)  # 8:30 in Shanghai
STATEMENT = Statement(
    {criterion.code: True for criterion in PACK.criteria},
    {},
    frozenset({"basic_form", "work_plan"}),
)


def identity_number(serial: int) -> str:
    """Return a sound resident identity number of an invented person."""
    body = f"110101{19900101 + serial % 28:08d}{serial % 1000:03d}"
    return body + str(ric.calc_check_digit(body + "0"))


def application(**changes: object) -> Application:
    """Return a complete application."""
    values: dict[str, object] = {
        "name": "北京市示例技能评价中心",
        "credit_code": ORGANISATION,
        "district": "朝阳区",
        "address": "北京市朝阳区示例路1号",
        "representative": "李示例",
        "occupations": (Occupation(*TRAINER),),
        "venues": (Venue(PLACE, "北京市朝阳区示例路1号", 60),),
        "staff": (("王考评", "examiner"),),
        "statement": STATEMENT,
    }
    return Application(**{**values, **changes})  # type: ignore[arg-type]


def applicants(count: int) -> list[Applicant]:
    """Return sound applicants."""
    return [
        Applicant(f"考生{chr(0x4E00 + k)}", "resident", identity_number(k), "满足申报条件", True)
        for k in range(count)
    ]


STAFF = (
    StaffDraft("赵主考", "chief", None, "zhao"),
    StaffDraft("钱副主考", "deputy", None, "qian"),
    StaffDraft("孙监考", "invigilator", "1", "sun"),
    StaffDraft("李监考", "invigilator", "1", "li"),
    StaffDraft("周考评", "examiner", None, "zhou"),
    StaffDraft("吴质量", "quality", None, "wu"),
)


@dataclass
class World:
    """One registry under a clock that only the test moves."""

    db: Database
    identity: Identity
    now: datetime = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    actor: str = "staff:city"
    journal: Journal = field(default_factory=lambda: Journal("registry"))

    @asynccontextmanager
    async def act(self, actor: str | None = None) -> AsyncIterator[Act]:
        async with self.db.writing() as session:
            yield Act(session, self.journal, self.now, actor or self.actor)

    def on(self, day: str, hour: int = 9) -> None:
        """Set the clock to an hour of a day in Shanghai."""
        self.now = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(
            hours=hour - 8
        )

    async def filed(self, centre: Identity) -> str:
        """File the organisation; its letter names the centre's keys. Ends on 12 March 2026."""
        async with self.act() as act:
            found = await filings.apply(act, PACK, ORGANISATION, application())
            await filings.recommend(act, found.id)
            await filings.evaluate(act, found.id)
            await filings.publish_notice(act, found.id)
        self.on("2026-03-12")
        letter = Letter(
            "京备〔2026〕1号",
            None,
            BodyCode("S", "0000", "11", "000001"),
            "复核员",
            centre.public.signing.hex(),
            centre.public.receiving.hex(),
        )
        async with self.act() as act:
            await filings.issue_letter(act, PACK, found.id, letter)
            await filings.publish(act, found.id)
        return found.id

    async def planned(self, *slots: SlotDraft) -> Plan:
        """Draft, file, accept and confirm a plan; theory on 20 April unless slots are given."""
        theory = SlotDraft("theory", "computer", FIRST, 90, 60, 100, PLACE)
        draft = PlanDraft(
            "示例中心", TRAINER[1], TRAINER[0], TRAINER[2], "朝阳区", "010", "说明", slots or (theory,)
        )
        self.on("2026-03-20")
        async with self.act("staff:organisation") as act:
            plan = await service.draft_plan(act, PACK, ORGANISATION, draft)
            await service.file_plan(act, PACK, plan.id)
        async with self.act() as act:
            await service.accept_plan(act, plan.id)
        async with self.act("staff:organisation") as act:
            return await service.confirm_plan(act, PACK, plan.id)

    async def enrolled(self, plan: str, count: int = 4) -> tuple[Candidate, ...]:
        """Enrol and confirm candidates."""
        self.on("2026-04-01")
        async with self.act("staff:organisation") as act:
            report = await roster_service.enrol(act, plan, applicants(count))
            assert report.refused == ()
            await roster_service.confirm_candidates(act, PACK, plan)
        return report.accepted

    async def packed(self, plan: str) -> bytes:
        """Import rooms and staff, lodge the draw terms, and pack for the centre."""
        self.on("2026-04-10")
        async with self.act("staff:organisation") as act:
            await roster_service.import_arrangement(act, PACK, plan, [RoomDraft("1", "一考场", 30)], STAFF)
            await service.lodge_commitment(act, plan, bytes(range(32)))
            await service.lodge_bank_root(act, ORGANISATION, bytes(32))
        async with self.act() as act:
            return (await packaging.pack_exam(act, self.identity, plan)).bytes

    async def noticed(self, plan: str, candidates: tuple[Candidate, ...], day: str = "2026-04-22") -> None:
        """Publish results: the last candidate is absent, the one before fails, the others pass."""
        self.on(day)
        async with self.act("peer:centre") as act:
            await accept_notice(act, notice_content(plan, candidates), 1, ORGANISATION)


def rows(candidates: tuple[Candidate, ...]) -> tuple[NoticeRow, ...]:
    """Return results: the last candidate is absent, the one before fails, the others pass."""
    last = len(candidates) - 1
    return tuple(
        NoticeRow(
            candidate=one.id,
            ticket=one.ticket,
            theory=None if k == last else 40.0 if k == last - 1 else 80.0,
            result="absent" if k == last else "fail" if k == last - 1 else "pass",
        )
        for k, one in enumerate(candidates)
    )


def notice_content(plan: str, candidates: tuple[Candidate, ...]) -> NoticeContent:
    """Return a complete notice content."""
    return NoticeContent(plan=plan, rows=rows(candidates), journal_head="head", counts={"enrolled": 4})


def result_content(plan: str, candidates: tuple[Candidate, ...], number: int = 1) -> ResultContent:
    """Return a complete result content."""
    return ResultContent(plan=plan, rows=rows(candidates), notice_number=number, journal_head="head")
