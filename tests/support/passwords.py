"""Passwords of tests' accounts and passphrases of their custodians, hashed as in use: once a process each, for a hash
costs more than most tests."""

from collections.abc import Sequence

from server.keys.ceremony import NewCustodian, prepare_custodians
from server.keys.passwords import HashedPassword, prepared_password

_HASHED: dict[str, HashedPassword] = {}
_WRAPPED: dict[tuple[tuple[str, str, str], ...], list[NewCustodian]] = {}


async def hashed(password: str) -> HashedPassword:
    """Return what an account with this password stores; accounts that share a password share its salt too."""
    if password not in _HASHED:
        _HASHED[password] = await prepared_password(password, "nobody")
    return _HASHED[password]


async def custodians(people: Sequence[tuple[str, str, str]]) -> list[NewCustodian]:
    """Make the custodians of a ceremony from (username, name, passphrase); whoever asks again gets the same pairs."""
    if tuple(people) not in _WRAPPED:
        _WRAPPED[tuple(people)] = await prepare_custodians(people)
    return _WRAPPED[tuple(people)]
