"""The error tree and the refusal value that every room shares.

GongyuanError
├── Refused        a rule said no: carries a Refusal (HTTP 409)
├── BadInput       the caller's data is not of the stated form (HTTP 400)
├── NotFound       the named thing does not exist, or may not be known to exist (HTTP 404)
├── NotPermitted   the caller's role or scope does not allow the act (HTTP 403)
├── NotSignedIn    no valid login came with the request (HTTP 401)
├── Tampered       a signature, hash, tag or chain does not match (HTTP 422)
└── Unavailable    a needed part is not there now; the same call may succeed later (HTTP 503)

Every error has a `code` (kebab-case, the key of its text in the catalogues) and `facts` that the text may name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a rule says no: a text code, the article it rests on (id of `law/clauses.toml`), and the facts named."""

    code: str
    article: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)


class GongyuanError(Exception):
    """Root of all errors that a caller may be shown."""

    status = 500

    def __init__(self, code: str, article: str | None = None, **facts: Fact) -> None:
        super().__init__(code, facts)
        self.code = code
        self.article = article
        self.facts: Mapping[str, Fact] = facts

    def __str__(self) -> str:
        named = ", ".join(f"{key}={value}" for key, value in self.facts.items())
        return f"{self.code} ({named})" if named else self.code


class Refused(GongyuanError):
    """A rule said no."""

    status = 409

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code, refusal.article, **refusal.facts)
        self.refusal = refusal


class BadInput(GongyuanError):
    """The caller's data is not of the stated form; `facts` name the place."""

    status = 400


class NotFound(GongyuanError):
    """The named thing does not exist, or may not be known to exist by this caller."""

    status = 404


class NotPermitted(GongyuanError):
    """The caller's role or scope does not allow the act."""

    status = 403


class NotSignedIn(GongyuanError):
    """No valid login came with the request."""

    status = 401


class Tampered(GongyuanError):
    """A signature, hash, authentication tag or chain does not match what it covers."""

    status = 422


class Unavailable(GongyuanError):
    """A needed part is not there now; the same call may succeed later."""

    status = 503


def required(refusal: Refusal | None) -> None:
    """Raise Refused when a rule returned a refusal; return silently when it said yes (None)."""
    if refusal is not None:
        raise Refused(refusal)
