"""All routes of the desk's process, and the ones among them that a centre serves too."""

from server.web.desk import checking, editor, exports, imports, items, opening, review, standing

ROUTES = [
    *opening.ROUTES,
    *items.ROUTES,
    *editor.ROUTES,
    *review.ROUTES,
    *imports.ROUTES,
    *exports.ROUTES,
    *standing.ROUTES,
]
CENTRE_ROUTES = [*standing.ROUTES, *checking.ROUTES]
