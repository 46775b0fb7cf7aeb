"""What must be readable in a recorded picture: point, time, method, room and layout (考点、时间、方式、考场、布局)."""

from __future__ import annotations

from datetime import datetime

from server.law.citing import cites
from server.law.workdays import SHANGHAI
from server.protocol.recording import CaptionText


@cites("BJ-E:22")
def caption_lines(caption: CaptionText, moment: datetime) -> tuple[str, str]:
    """The two lines on a picture taken at `moment` (aware): point and time; method, room and layout. Asia/Shanghai."""
    local = moment.astimezone(SHANGHAI)
    return (
        f"{caption.point}　{local:%Y-%m-%d %H:%M:%S}",
        f"{caption.method}　{caption.room}　{caption.layout}",
    )
