"""Tables as files that spreadsheets open."""

import csv
import io
from collections.abc import Iterable

from litestar import Response


def csv_file(name: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> Response[bytes]:
    """Give a table as CSV under a file name: UTF-8 with a byte-order mark, by which spreadsheets know it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return Response(
        b"\xef\xbb\xbf" + text.getvalue().encode(),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
