"""The text catalogues are complete in both languages."""

import ast
import re
import string
from pathlib import Path

from server.web.catalogue import texts

ROOT = Path(__file__).resolve().parents[2]
_ERRORS = {
    "Refusal",
    "Refused",
    "BadInput",
    "NotFound",
    "NotPermitted",
    "NotSignedIn",
    "Tampered",
    "Unavailable",
}


def _codes_raised() -> set[str]:
    codes: set[str] = set()
    for path in (ROOT / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in _ERRORS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                codes.add(first.value)
    return codes


def _fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_hold_the_same_codes() -> None:
    """Every code has a Chinese and an English sentence."""
    assert set(texts("zh")) == set(texts("en"))


def test_both_languages_name_the_same_facts() -> None:
    """A sentence names the same facts in both languages."""
    english = texts("en")
    different = {
        code for code, sentence in texts("zh").items() if _fields(sentence) != _fields(english[code])
    }
    assert different == set()


def test_every_error_code_has_a_text() -> None:
    """Every code that the server can refuse with stands in the catalogues."""
    assert _codes_raised() - set(texts("zh")) == set()


def test_a_form_that_a_script_sends_is_inert_until_the_script_listens() -> None:
    """No form without a method can be pressed before its script listens, when the browser would put its fields (a
    passphrase) into the address."""
    forms = [
        (path.name, form)
        for path in (ROOT / "server/web/templates").rglob("*.html")
        for form in re.findall(r"<form\b[^>]*>", path.read_text(encoding="utf-8"))
    ]
    assert len(forms) > 20
    assert [one for one in forms if "method=" not in one[1] and not re.search(r"\sinert\b", one[1])] == []
