"""All routes for anybody."""

from typing import Any

from server.web.public.acts import ACTS
from server.web.public.pages import ROUTES_OF_PAGES

ROUTES: list[Any] = [*ACTS, *ROUTES_OF_PAGES]
