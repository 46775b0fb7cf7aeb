"""All routes of the hall that are the exam day's own; custody's stand beside them."""

from server.web.hall import (
    acts,
    board,
    camera_plots,
    day_acts,
    late,
    marks,
    practical,
    receipts,
    results,
    views,
    wall,
)

ROUTES = [
    *views.ROUTES,
    *acts.ROUTES,
    *day_acts.ROUTES,
    *practical.ROUTES,
    *results.ROUTES,
    *marks.ROUTES,
    *late.ROUTES,
    *receipts.ROUTES,
    *board.ROUTES,
    *wall.ROUTES,
    *camera_plots.ROUTES,
]
