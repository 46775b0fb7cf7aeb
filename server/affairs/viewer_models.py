"""Which officers may look at a centre's cameras from afar: on the registry, until the exam package carries it."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class ViewerRow(Base):
    """One officer's pass for one plan; the password itself was shown once and is not kept."""

    __tablename__ = "affairs_viewer"

    username: Mapped[str] = mapped_column(String(63), primary_key=True)
    """The account's name at the centre."""
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    officer: Mapped[str] = mapped_column(String(80))
    """Whose pass it is: the username at the registry."""
    password: Mapped[str] = mapped_column(String(200))
    """PHC string."""
    made_at: Mapped[datetime]
