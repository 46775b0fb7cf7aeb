"""Passwords of tests' accounts, hashed as in use: once a process each, for a hash costs more than most tests."""

from server.keys.passwords import HashedPassword, prepared_password

_HASHED: dict[str, HashedPassword] = {}


async def hashed(password: str) -> HashedPassword:
    """Return what an account with this password stores; accounts that share a password share its salt too."""
    if password not in _HASHED:
        _HASHED[password] = await prepared_password(password, "nobody")
    return _HASHED[password]
