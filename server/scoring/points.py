"""Points as whole hundredths: sums of marks are integers, so that no rounding of binary fractions enters
a score.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from server.errors import BadInput

HUNDREDTHS = 100
Number = int | float | str | Decimal


def points(value: Number) -> int:
    """Return a number of points as hundredths; BadInput when it is negative, not finite or finer than 0.01.

    A float is read by its shortest decimal form, so that 0.1 is one tenth.
    """
    try:
        number = Decimal(str(value))
        exact = number * HUNDREDTHS
    except InvalidOperation as error:
        raise BadInput("points-not-a-number", value=str(value)) from error
    if not number.is_finite() or number < 0 or exact != exact.to_integral_value():
        raise BadInput("points-not-a-number", value=str(value))
    return int(exact)


def as_number(hundredths: int) -> float:
    """Return hundredths as the number of points that messages and pages carry; exact to the hundredth."""
    return float(Decimal(hundredths) / HUNDREDTHS)


def as_text(hundredths: int) -> str:
    """Return hundredths as people write points: 60, 60.5, 60.25."""
    whole, rest = divmod(hundredths, HUNDREDTHS)
    return str(whole) if rest == 0 else f"{whole}.{rest:02d}".rstrip("0")


def mean(values: Iterable[int]) -> int:
    """Return the mean of hundredths, rounded half up to a whole hundredth; ValueError for no values."""
    numbers = tuple(values)
    if not numbers:
        raise ValueError("no mean of nothing")
    exact = Decimal(sum(numbers)) / len(numbers)
    return int(exact.to_integral_value(rounding=ROUND_HALF_UP))
