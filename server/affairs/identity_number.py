"""Is this document number sound? Resident identity numbers by GB 11643: region, date of birth, check
character.
"""

from datetime import date

from stdnum.cn import ric
from stdnum.exceptions import ValidationError


def normal(id_number: str) -> str:
    """Return the number without spaces, letters in upper case."""
    return "".join(id_number.split()).upper()


def identity_fault(id_kind: str, id_number: str, today: date) -> str | None:
    """Return a text code that says what is wrong with a number, or None.

    Only resident identity numbers carry a check; of other documents the number must merely not be empty.
    """
    number = normal(id_number)
    if not number:
        return "identity-number-missing"
    if id_kind != "resident":
        return None
    try:
        ric.validate(number)
    except ValidationError:
        return "identity-number-wrong"
    return "identity-birth-date-ahead" if ric.get_birth_date(number) > today else None
