"""All routes of the officers."""

from typing import Any

from server.web.regulator import remote_view
from server.web.regulator.acts import ACTS
from server.web.regulator.pages import ROUTES_OF_PAGES

ROUTES: list[Any] = [*ACTS, *ROUTES_OF_PAGES, *remote_view.ROUTES]
