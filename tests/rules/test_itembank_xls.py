"""Old workbooks (.xls): read like new ones, and refused when they hold formulas."""

import base64
import zlib
from random import Random

import pytest

from server.errors import BadInput
from server.itembank.interchange.forms import format_of
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.sanitising import sanitised
from server.itembank.interchange.xls_formulas import first_formula
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


def test_a_damaged_old_workbook_is_read_or_refused() -> None:
    """Any few changed bytes leave an old workbook readable or make it bad input; no other error escapes."""
    random = Random(7)
    for _ in range(300):
        data = bytearray(unpacked(ITEMS))
        for _ in range(3):
            data[random.randrange(len(data))] = random.randrange(256)
        try:
            read_xlsx(bytes(data))
        except BadInput:
            continue
