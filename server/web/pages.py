"""How server-rendered pages are made: one template engine, the reader's language, and no script in the markup."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from litestar import Request
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template

from server.clock import SHANGHAI
from server.web.catalogue import Language, day_text, language_of, moment_text, say

TEMPLATES = Path(__file__).parent / "templates"


def _shown_day(language: Language, value: date | datetime) -> str:
    return day_text(language, value.astimezone(SHANGHAI) if isinstance(value, datetime) else value)


def engine() -> JinjaTemplateEngine:
    """Make the template engine: autoescape everything, an undefined name is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["theme"] = None
    return JinjaTemplateEngine.from_environment(environment)


def page(request: Request[Any, Any, Any], template: str, status_code: int = 200, **context: Any) -> Template:
    """Render a page in the reader's language.

    Templates get `language`, `say(code, **facts)`, `day(value)`, `moment(value)` (Asia/Shanghai, 24 hours), `login`,
    `site_name` and `own_password` (this process has that page) beside the given context; forms put `csrf_token()` into
    a hidden field `_csrf_token`.
    """
    language = language_of(request)
    shared = {
        "language": language,
        "say": lambda code, **facts: say(language, code, facts),
        "day": lambda value: _shown_day(language, value),
        "moment": lambda value: moment_text(language, value),
        "login": request.scope.get("user"),
        "site_name": request.app.state.site.settings.name,
        "own_password": any(route.path == "/password" for route in request.app.routes),
        "csrf_cookie": request.app.state.site.csrf_cookie,
    }
    return Template(template, context={**shared, **context}, status_code=status_code)
