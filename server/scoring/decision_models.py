"""Table of the decisions about faulty questions."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class DecisionRow(Base):
    """One erratum or voided question of one slot; named by item and version, or by the place on one sitting's
    paper until the marking opening resolves it.
    """

    __tablename__ = "scoring_decision"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(String(36), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(12))
    policy: Mapped[str | None] = mapped_column(String(12))
    item: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int | None]
    part: Mapped[int]
    sitting: Mapped[str | None] = mapped_column(String(36))
    paper: Mapped[str | None] = mapped_column(String(36))
    """The spare paper that the sitting had when the decision was proposed; None means the drawn one."""
    number: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text)
    """Words shown to all candidates of the slot when the decision is confirmed; may be empty for a void."""
    reason: Mapped[str] = mapped_column(Text)
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[str] = mapped_column(String(120))
    asked_by: Mapped[str] = mapped_column(String(120))
    """Who asked for what now waits, or stood last: the proposal or the revocation."""
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None] = mapped_column(String(120))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(120))
