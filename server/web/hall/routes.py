"""All routes of the hall that are the exam day's own; custody's stand beside them."""

from server.web.hall import acts, board, day_acts, marks, practical, results, views

ROUTES = [
    *views.ROUTES,
    *acts.ROUTES,
    *day_acts.ROUTES,
    *practical.ROUTES,
    *results.ROUTES,
    *marks.ROUTES,
    *board.ROUTES,
]
