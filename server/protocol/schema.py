"""The kiosk protocol as JSON Schema (2020-12), made from the messages, for the page's tests and for other
clients.
"""

from typing import Any

import msgspec

from server.protocol.exam import FromKiosk, ToKiosk
from server.protocol.ids import VERSION


def exam_schema() -> dict[str, Any]:
    """Return {"version", "from_kiosk", "to_kiosk", "$defs"}; the two are unions discriminated by `type`."""
    (from_kiosk, to_kiosk), definitions = msgspec.json.schema_components(
        [FromKiosk, ToKiosk], ref_template="#/$defs/{name}"
    )
    return {"version": VERSION, "from_kiosk": from_kiosk, "to_kiosk": to_kiosk, "$defs": definitions}
