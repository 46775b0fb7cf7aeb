"""The technician's page of recordings: what records now, what the coming exams need, what is free."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from server.accounts.roles import Role
from server.proctor import recording_store
from server.proctor.course import DiskPlan
from server.web.guards import requires
from server.web.pages import page
from server.web.site import Site

GIGA = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PlanShown:
    """The plan of the disk in gigabytes (10⁹), rounded up where it is needed and down where it is free."""

    plan: DiskPlan

    @property
    def needed(self) -> str:
        """What the recordings of the coming day take."""
        return f"{self.plan.needed / GIGA:.1f}"

    @property
    def free(self) -> str:
        """What is free."""
        return f"{self.plan.free / GIGA:.1f}"

    @property
    def reserve(self) -> str:
        """What recordings leave to answers and journal."""
        return f"{self.plan.reserve / GIGA:.1f}"

    @property
    def missing(self) -> int:
        """Whole gigabytes that must be freed; 0 where there is enough."""
        return max(0, -(-(self.plan.needed + self.plan.reserve - self.plan.free) // GIGA))


@get("/technician/recordings", guards=[requires(Role.TECHNICIAN, Role.CHIEF)])
async def recordings(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Template:
    """Show the plan of the disk, the cameras that record, and the gaps that last."""
    async with site.db.reading() as session:
        plan = await site.recording.plan(session)
        count, size, _seconds = await recording_store.totals(session)
        lasting = await recording_store.gaps(session, lasting=True)
    return page(
        request,
        "technician/recordings.html",
        plan=PlanShown(plan),
        recording=sorted(site.recording.recording),
        count=count,
        size=f"{size / GIGA:.1f}",
        lasting=lasting,
    )


ROUTES = [recordings]
