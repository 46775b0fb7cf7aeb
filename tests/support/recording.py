"""Recordings for tests: ten seconds of a camera, written as a recorder does, with their row."""

from datetime import datetime, timedelta

import cv2
import msgspec
import numpy as np

from server.proctor.recording_models import SegmentRow
from server.proctor.remux import Form, Muxer, Piece
from server.proctor.segment_file import RUN_AAD, SegmentHeader, SegmentWriter
from server.proctor.store import Camera, put_camera
from server.protocol.recording import CaptionText
from server.web.site import Site

CAPTION = CaptionText(point="朝阳考点", method="机考", room="考场 1", layout="共 2 座")
KEY = bytes(range(32))


async def record_piece(
    site: Site,
    segment: str,
    camera: str,
    room: str,
    slot: str,
    start: datetime,
    size: tuple[int, int] = (320, 180),
) -> None:
    """Record a camera for ten seconds, one picture a second, each ten grey levels brighter than the last, from 60."""
    path = f"{camera}/{segment}.gyseg"
    header = SegmentHeader(segment=segment, camera=camera, wrapped=site.identity.storage_wrap(KEY, RUN_AAD))
    writer = SegmentWriter(site.recording.folder / path, header, KEY)
    muxer = Muxer(writer, Form("mjpeg", *size), CAPTION, start)
    for second in range(10):
        picture = np.full((size[1], size[0], 3), 60 + 10 * second, np.uint8)
        data = cv2.imencode(".jpg", picture)[1].tobytes()
        muxer.put(Piece(Form("mjpeg", *size), data, float(second), float(second), True))
    muxer.close()
    written = writer.close()
    async with site.db.writing() as session:
        await put_camera(session, Camera(camera, room, "mjpeg", "http://x/", *size), None, start)
        session.add(
            SegmentRow(
                id=segment,
                camera=camera,
                room=room,
                slot=slot,
                path=path,
                started_at=start,
                ended_at=start + timedelta(seconds=10),
                number=1,
                size=written.size,
                sha256=written.sha256,
                chain="",
                codec="mjpeg",
                complete=True,
                caption=msgspec.json.encode(CAPTION).decode(),
            )
        )
