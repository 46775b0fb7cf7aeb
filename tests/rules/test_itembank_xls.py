"""Old workbooks (.xls): read like new ones, and refused when they hold formulas."""

import base64
import struct
import zlib
from random import Random

import pytest

from server.errors import BadInput
from server.itembank.interchange.forms import format_of
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.sanitising import sanitised
from server.itembank.interchange.xls_formulas import _stream, first_formula
from server.itembank.interchange.xlsx import read_xlsx

# Two small workbooks of the old binary form, deflated: one of two sheets with three items, one with a formula in B2.
ITEMS = (
    "eNrtWE1IVFEUPve+N3+m44ypoIEMUlom/vQDtdBRo2xR4k9hRmiaI4WDDkNYFqSlriIQgpiijSBCi8w2pRRRm2gRGLUQgkCLVtEi"
    "SIpQX+ecefOasVk4UEPGO4977vnOvfd9d949590779Wse37sfu4CrJJKUGBFc4A1yiewOCLABdiuaWRGajsWzZR1JQ47LqTVAo/S"
    "XtpoDWm9F0DClPoMNcB7LCcgAHW9PT5PEqWG59AuaA4VQsXYk3AbixNyeF4ZrE+x3sj6Hvd9zLqKPddYV2DfeXEcZr11RXv0OD4m"
    "87nNiVrAQx7zlj3lkAUvKI4HRkW4rwWqg2fa/f9mQ56aCuOAK1fr6/EF2/3zkIlLOA6LmgfgayRXn3pMf3L9AtD/PdZvi+O/LlWA"
    "QdBOCgrEEQzINpVaFHG0yTEaCpFn0Rr2bG686wuFlmACsjnogYI3e+BbE1ahULBVAeEY7Q9Vg25QCokjFw+eRvzx3POrMwHET25M"
    "tGKcHyp3gNjlH+6b9s8ESrvs+DMcmizDnnuhDCZaMeHK0SATA67GSrAEk8MDP5qrzuN9clsKWxRMl5Ld2L4DS7UFxFRDadfnwHCf"
    "LEPHXAptF/x6ccW8XtI46VJRd0I6225OPRduIEt3vrw+3FHvbWPPIG8p4Y1nCz0p0OAyjcDBTm5RWNOti3jEdtZX+K6b2M5lnYkJ"
    "g3VBfZZuHBjiPsPcWoA8O1neeAuj7K1oj3xqmM4b+eDdhvZk7cKFzMk57xjk40bYiePpGoJiUSxu3SSZ8UZqob+i3rHO+e11ZZcu"
    "fe6avrumwzKksOlmHUb0dISBpP6swkhBpBhIRaQayILIYiArIqvOKuKwCma16f0Fs9oNRKwOAxFrioGIdYOBiDUV0SVJiFj3iTCr"
    "XMVKPSSz5umjw5GQZiBidRqIWNMNRKwuA0WzSma1IWulzIAHRIHbwS9JRlRKQ6/XqJRxo1LERKUaFU8ybjy5Y+IpA/Q1gXhrYoop"
    "pphiiimmJE2EflBR+AAJfGS06kdq+q6zjGXF/Ezy30oj9OJ1Fv/Y7YcerIPQn1D8ZINFRO4l1jgm8r2QpBnZg9ANHTyP7oTjF4+z"
    "Ivr3rHmg68+lUKL8K4nM8y/z/wR/hihV"
)
FORMULA = (
    "eNrtWE1oE0EU/t4maX5o001NhbYYQsFWay/ixUu7VdB6sVQRFBE1tQGlJZXFi3qwWnMUBC9RvBR68VL14g/2oDcPQkUPgiAkevQk"
    "KHhos773siup9tCAlirzbeabN2/e7LzsvJnZ2deLqfLsw84KfsEgQqh6cTTV6YhTPCjY4HrPEzHIY5w8g38K8RgPZFMEz1peRWUM"
    "ZbwrsPAg/IIZ+MjpBM5jZKqQz64j9qoPORIfBpgJd1mTRId61aZ8RnmT8n21XFAeUs0N5QG2LdNxLDojfbv9KD5mdWtdEnLfx9rm"
    "vWp2oh0vJYqv3KSabQR73HO5yY1ZkQk3Yw48bsP5Qt7NTZaR5gGcwzcvC3wNZurzrNGvr57A+u8r9dFV9LesMDAN77QGeBEJLIR0"
    "gKlUWkIXpCCJa0sl9yRnRy4fOEtSSsharHPXXjF3WzSmm5nH0apySiPb5tV56d6XNwfHRp1TqpnW9bq2qm8VR+DhqrTgxkmtsX5y"
    "n/IO5Wt61y6VO5XTHI+c94y2+8L+GbW5rrU93M8uxVunt07exnLx86EnmeInZzvL88OVS+n5d84sunmXGef2cs2gn/rpzm3BUyfI"
    "yV8BPih3/LYaxCzb993zt65WLCOhYkq5VpKnQ749rWJPam/ps92i/qR0QGSfqxlGkSH5hQatNjzSJzZUt2UmYGBgYGBgYGBgYLCB"
    "QP4bvrzVyhkg4p8jov53nWVOVfOZ5L/FYUzxdYEPpvtQ4NzFxYbiZzMiFNyL1tgm+F4oOMq9u5jAmPox0XD88jmQ6v/Pmhvaf24K"
    "Ndp/tRE//3L/PwAI/sEW"
)


def unpacked(text: str) -> bytes:
    """Return the bytes of a packed workbook."""
    return zlib.decompress(base64.b64decode(text))


def test_an_old_workbook_is_read_like_a_new_one() -> None:
    """Two sheets of a .xls give their three items; a number keeps the form that a person saw."""
    data = unpacked(ITEMS)
    assert format_of("题库.xls", data) == "xlsx"
    table = read_xlsx(data)
    outcomes = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None)).outcomes
    contents = [one.content for one in outcomes]
    assert [(one.type, one.label, one.key, one.options) for one in contents if one] == [
        ("single", "L1", ("B",), ("90度", "100度")),
        ("single", "7", ("A",), ("1.5", "2")),
        ("judge", "", ("F",), ()),
    ]


def test_an_old_workbook_with_a_formula_is_refused_with_its_cell() -> None:
    """A formula's last value is never taken for what was typed."""
    assert first_formula(unpacked(ITEMS)) is None
    with pytest.raises(BadInput, match="workbook-has-formulas") as refused:
        read_xlsx(unpacked(FORMULA))
    assert refused.value.facts["place"] == "row 2, column 2"


def in_short_sectors(data: bytes) -> bytes:
    """Write the workbook stream of a compound file into one whose stream lies in short sectors of 64 bytes."""
    stream, at, depth, last = _stream(data), 0, 0, 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        at += 4 + length
        depth += (kind == 0x0809) - (kind == 0x000A)
        if kind == 0x000A and depth == 0:
            last = at
    stream = stream[:last]
    assert len(stream) < 4096
    short = -(-len(stream) // 64)
    sectors = -(-short * 64 // 512)
    end, free = 0xFFFFFFFE, 0xFFFFFFFF

    def table(*numbers: int) -> bytes:
        return struct.pack("<128I", *numbers, *[free] * (128 - len(numbers)))

    def entry(name: str, kind: int, child: int, start: int, length: int) -> bytes:
        raw = name.encode("utf-16-le") + b"\0\0"
        head = raw.ljust(64, b"\0") + struct.pack("<HBBIII", len(raw), kind, 1, free, free, child)
        return head + bytes(36) + struct.pack("<IQ", start, length)

    following = [
        *range(4, 3 + sectors),
        end,
    ]  # sectors 0 table, 1 directory, 2 short table, 3 … the stream itself
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6)
    header += bytes(6) + struct.pack("<9I", 0, 1, 1, 0, 4096, 2, 1, end, 0) + table(0)[: 109 * 4]
    directory = (
        entry("Root Entry", 5, 1, 3, short * 64) + entry("Workbook", 2, free, 0, len(stream)) + bytes(256)
    )
    return b"".join((
        header, table(0xFFFFFFFD, end, end, *following), directory, table(*range(1, short), end),
        stream.ljust(sectors * 512, b"\0"),
    ))  # fmt: skip


def test_a_small_old_workbook_is_read_and_its_formula_refused() -> None:
    """A stream below the cutoff lies in short sectors: its items are read, and a formula in it is refused."""
    table = read_xlsx(in_short_sectors(unpacked(ITEMS)))
    outcomes = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None)).outcomes
    assert len([one for one in outcomes if one.content is not None]) == 3
    with pytest.raises(BadInput, match="workbook-has-formulas") as refused:
        read_xlsx(in_short_sectors(unpacked(FORMULA)))
    assert refused.value.facts["place"] == "row 2, column 2"


@pytest.mark.parametrize(("at", "value"), [(1211, 255), (1218, 1), (1219, 255), (1222, 255)])
def test_cells_too_far_apart_are_refused(at: int, value: int) -> None:
    """A stated area of a trillion cells, or one that ends before it begins, is refused before memory is taken."""
    data = bytearray(in_short_sectors(unpacked(ITEMS)))
    data[2048 + at] = value
    with pytest.raises(BadInput, match="workbook-unsafe"):
        read_xlsx(bytes(data))


def test_a_damaged_old_workbook_is_read_or_refused() -> None:
    """Any few changed bytes leave an old workbook readable or make it bad input; no other error escapes."""
    random = Random(7)
    whole = (unpacked(ITEMS), in_short_sectors(unpacked(ITEMS)))
    for turn in range(300):
        data = bytearray(whole[turn % 2])
        for _ in range(3):
            data[random.randrange(len(data))] = random.randrange(256)
        try:
            read_xlsx(bytes(data))
        except BadInput:
            continue
