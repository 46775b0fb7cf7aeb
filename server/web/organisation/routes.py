"""All routes of an organisation."""

from typing import Any

from server.web.organisation.acts import ACTS
from server.web.organisation.corrections import ROUTES_OF_CORRECTIONS
from server.web.organisation.pages import ROUTES_OF_PAGES
from server.web.organisation.yearly import ROUTES_OF_YEARLY

ROUTES: list[Any] = [*ACTS, *ROUTES_OF_PAGES, *ROUTES_OF_CORRECTIONS, *ROUTES_OF_YEARLY]
