"""A server's cookies in a test's browser: their names end in a mark of the server."""

import httpx


def csrf(jar: httpx.Cookies) -> str:
    """Return the CSRF token that a browser holds, "" for none."""
    return _value(jar, "gongyuan-csrf-")


def login(jar: httpx.Cookies) -> tuple[str, str]:
    """Return name and value of the login cookie that a browser holds."""
    (name,) = [one for one in jar if one.startswith("gongyuan-login-")]
    return name, jar[name]


def _value(jar: httpx.Cookies, prefix: str) -> str:
    return next((value for name, value in jar.items() if name.startswith(prefix)), "")
