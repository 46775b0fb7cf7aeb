"""The candidate page: a shell without content of its own, and its texts in one language."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from litestar import MediaType, Request, Response, get

from server.web.catalogue import language_of, texts

IMPORT_MAP = (
    '{"imports":{"preact":"/static/vendor/preact.mjs","preact/hooks":"/static/vendor/preact-hooks.mjs",'
    '"htm":"/static/vendor/htm.mjs","idb":"/static/vendor/idb.mjs"}}'
)
IMPORT_MAP_HASH = base64.b64encode(hashlib.sha256(IMPORT_MAP.encode()).digest()).decode()
"""Named by the content security policy: an import map must stand inline."""

_SHELL = """<!doctype html>
<html lang="{lang}" data-csrf-cookie="{csrf}"{servers}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/static/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/tokens.css">
<link rel="stylesheet" href="/static/{folder}/{folder}.css">
<script type="importmap">{imports}</script>
<script type="module" src="/static/{folder}/main.mjs"></script>
</head>
<body{theme}><div id="app"></div><noscript>{title}</noscript></body>
</html>
"""

_TEXT_FILES = ("candidate", "delivery", "general")


def shell(
    request: Request[Any, Any, Any], folder: str, title: str, theme: str = "", servers: Sequence[str] = ()
) -> Response[str]:
    """Return the page that loads one module application from `/static/<folder>/main.mjs`."""
    language = language_of(request)
    body = _SHELL.format(
        lang="en" if language == "en" else "zh-CN",
        title=texts(language)[title],
        folder=folder,
        imports=IMPORT_MAP,
        csrf=request.app.state.site.csrf_cookie,
        theme=f' data-theme="{theme}"' if theme else "",
        servers=f' data-servers="{" ".join(servers)}"' if servers else "",
    )
    return Response(body, media_type=MediaType.HTML, headers={"cache-control": "no-store"})


@get("/exam", sync_to_thread=False)
def exam_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Give the candidate page's shell, which names this centre's machines; the rest comes over the websocket."""
    return shell(request, "candidate", "candidate-title", servers=request.app.state.site.settings.servers)


@get("/exam/texts", sync_to_thread=False)
def exam_texts(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Give the page's sentences, those of the hall's refusals among them."""
    return dict(texts(language_of(request), _TEXT_FILES))


ROUTES = [exam_page, exam_texts]
