"""The pattern of certificate numbers."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadInput, Unavailable
from server.law.certificate_number import CertificatePattern
from server.law.loader import load_pack

PATTERN = load_pack("beijing").certificate
VALUES = {
    "kind": "S",
    "ministry": "0000",
    "province": "11",
    "body": "000123",
    "year": "26",
    "level": "4",
    "serial": "000001",
}


def test_number_of_a_social_body_in_beijing() -> None:
    """The parts in order make a number of 22 characters."""
    assert PATTERN.compose(VALUES) == "S000011000123264000001"
    assert PATTERN.length == 22
    assert PATTERN.serial_limit == 999999


@given(
    st.sampled_from(["S", "Y"]),
    st.from_regex(r"[0-9]{4}", fullmatch=True),
    st.from_regex(r"[0-9]{6}", fullmatch=True),
    st.from_regex(r"[0-9]{2}", fullmatch=True),
    st.integers(1, 5),
    st.integers(1, 999999),
)
def test_splitting_undoes_composing(
    kind: str, ministry: str, body: str, year: str, level: int, serial: int
) -> None:
    """Taking a number apart gives back exactly the parts it was made of."""
    values = {
        "kind": kind,
        "ministry": ministry,
        "province": "11",
        "body": body,
        "year": year,
        "level": str(level),
        "serial": f"{serial:06}",
    }
    number = PATTERN.compose(values)
    assert len(number) == 22
    assert PATTERN.split(number) == values


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("kind", "X"),
        ("kind", "s"),
        ("kind", "1"),
        ("ministry", "12"),
        ("ministry", "12345"),
        ("province", "12"),
        ("level", "0"),
        ("level", "6"),
        ("serial", "00000A"),
        ("serial", "００００01"),  # full-width digits are not digits of a number
        ("serial", ""),
    ],
)
def test_wrong_part_is_named(part: str, text: str) -> None:
    """A part of wrong length, alphabet or value is refused and named, when composing and when splitting."""
    values = VALUES | {part: text}
    with pytest.raises(BadInput) as caught:
        PATTERN.compose(values)
    assert (caught.value.code, caught.value.facts["part"]) == ("law-certificate-part-wrong", part)
    number = "".join(values.values())
    with pytest.raises(BadInput) as caught:
        PATTERN.split(number)
    assert caught.value.code in ("law-certificate-part-wrong", "law-certificate-length-wrong")


def test_missing_part_is_named() -> None:
    """Composing without a part names it."""
    with pytest.raises(BadInput) as caught:
        PATTERN.compose({code: text for code, text in VALUES.items() if code != "body"})
    assert caught.value.facts["part"] == "body"


def test_unknown_part_is_named() -> None:
    """Composing with a part that the pattern does not have names it."""
    with pytest.raises(BadInput) as caught:
        PATTERN.compose(VALUES | {"check": "7"})
    assert (caught.value.code, caught.value.facts["part"]) == ("law-certificate-part-unknown", "check")


@pytest.mark.parametrize(
    "use",
    [
        lambda pattern: pattern.compose({}),
        lambda pattern: pattern.split(""),
        lambda pattern: pattern.length,
        lambda pattern: pattern.serial_limit,
    ],
)
def test_pattern_without_parts_is_not_known(use: Callable[[CertificatePattern], object]) -> None:
    """Every use of a pattern that has no parts says that the regulation does not state one."""
    pattern = CertificatePattern(version="not-stated", article="SC:5.2", parts=(), stated=False)
    with pytest.raises(Unavailable) as caught:
        use(pattern)
    assert caught.value.code == "law-certificate-pattern-not-stated"
