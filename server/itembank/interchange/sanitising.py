"""From what an organisation typed to the HTML that a candidate may be shown. The only user of nh3.

Text without markup is escaped; text with markup is cleaned by an allow list: tables, sub- and
superscripts, MathML, pictures and sounds held in the text itself (data:). Nothing that loads, links, scripts
or styles passes. `sanitised` is canonical, so that editor, preview and candidate page show the same bytes.
"""

import base64
import html
import re
from pathlib import Path

import nh3

from server.errors import BadInput
from server.itembank.interchange.formulas import in_core

LARGEST_PICTURE = 512 * 1024
LARGEST_SOUND = 1024 * 1024
_TAG = re.compile(
    r"</?(p|br|b|i|u|em|strong|sub|sup|span|div|table|tbody|thead|tr|td|th|ul|ol|li|img|math|mrow|mi|mo|mn|"
    r"mfrac|msup|msub|msqrt|audio|font|a|h[1-6]|script|style|iframe|object|svg|pre|code)(\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_UNSHOWN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_ANY_TAG = re.compile(r"<[^<>]*>")
_ENTITY = re.compile(r"&(nbsp|lt|gt|amp|quot|#\d{2,6}|#x[0-9a-fA-F]{2,5});")
_MATHML = (
    "math mrow mi mo mn ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable "
    "mtr mtd mfenced mpadded mphantom mstyle menclose mmultiscripts mprescripts none merror semantics"
)
_TAGS = set(
    f"p br b i u em strong sub sup span div table thead tbody tfoot tr td th caption ul ol li img pre code "
    f"blockquote dl dt dd hr s small audio {_MATHML}".split()
)
_ATTRIBUTES = {
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "img": {"src", "alt", "width", "height"},
    "span": {"class", "data-blank"},
    "audio": {"src"},
    "math": {"display"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "fence", "separator", "form", "lspace", "rspace", "largeop", "movablelimits", "symmetric",
           "minsize", "maxsize"},
    "mspace": {"width", "height", "depth"},
    "mpadded": {"width", "height", "depth", "lspace", "voffset"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mfenced": {"open", "close", "separators"},
    "menclose": {"notation"},
    "mtable": {"columnalign", "rowspacing", "columnspacing", "columnlines", "rowlines", "frame"},
    "mtd": {"columnspan", "rowspan"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
    "mfrac": {"linethickness"},
    "ol": {"type", "start"},
}  # fmt: skip
_PICTURE_URI = re.compile(r"^data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*$")
_SOUND_URI = re.compile(r"^data:audio/(mpeg|ogg|wav|mp4);base64,[A-Za-z0-9+/]+=*$")
_SPOKEN_OF = re.compile(r"<(img|audio)\s*/?>", re.IGNORECASE)
_SOURCE = re.compile(r"<(?:img|audio)\s[^>]{0,500}?\bsrc\s*=", re.IGNORECASE)
_WITHOUT_SOURCE = re.compile(r"<img(?![^>]*\ssrc=)[^>]*>|<audio(?![^>]*\ssrc=)[^>]*></audio>")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return value if _PICTURE_URI.match(value) and len(value) <= LARGEST_PICTURE * 4 // 3 + 64 else None
    if tag == "audio" and name == "src":
        return value if _SOUND_URI.match(value) and len(value) <= LARGEST_SOUND * 4 // 3 + 64 else None
    if tag == "span" and name == "class":
        return value if value == "blank" else None
    if name == "data-blank":
        return value if value.isdecimal() and len(value) <= 2 else None
    return value if len(value) <= 200 else None


_cleaner = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style", "iframe", "object", "svg", "template", "noscript", "video",
                        "annotation", "annotation-xml"},
    set_tag_attribute_values={"audio": {"controls": ""}},
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    url_schemes={"data"},
    link_rel=None,
    strip_comments=True,
)  # fmt: skip


def sanitised(text: str) -> str:
    """Return safe HTML: markup cleaned where there is any, else the text escaped with its line ends kept.

    The result is canonical: sanitising it again changes nothing.
    """
    text = _UNSHOWN.sub("", text).replace("\r\n", "\n").replace("\r", "\n").strip()
    # `the <img> tag`: a text about markup, and no picture
    text = _SPOKEN_OF.sub(r"&lt;\1&gt;", text)
    if not _TAG.search(text):
        if _ENTITY.search(text):
            text = html.unescape(text)
        text = html.escape(text, quote=False).replace("\n", "<br>")
    for _ in range(4):
        cleaned = _WITHOUT_SOURCE.sub("", _UNSHOWN.sub("", _cleaner.clean(text)).replace("\r", ""))
        cleaned = in_core(cleaned.strip())
        if cleaned == text:
            break
        text = cleaned
    # What the cleaner left without markup is read as plain text the next time, whose line ends are kept.
    return text if _TAG.search(text) else text.replace("\n", "<br>")


def sources(text: str) -> int:
    """Return how many pictures and sounds a text names. What `sanitised` leaves out of them was linked, too large or
    of no known form."""
    return len(_SOURCE.findall(text))


def plain_of(text: str) -> str:
    """Return what a person reads of a text with markup: no tags, white space folded."""
    return " ".join(html.unescape(_ANY_TAG.sub(" ", text)).split())


def picture_html(data: bytes, alternative: str) -> str:
    """Return a picture as an <img> that holds its own bytes; BadInput for another format or above 512 KiB."""
    if len(data) > LARGEST_PICTURE:
        raise BadInput("picture-too-large", bytes=len(data), limit=LARGEST_PICTURE)
    kind = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if kind is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "webp"
    if kind is None:
        raise BadInput("picture-format-unknown")
    encoded = base64.b64encode(data).decode()
    return f'<img src="data:image/{kind};base64,{encoded}" alt="{html.escape(alternative)}">'


def picture_from(folder: Path, name: str) -> str:
    """Return the picture of that relative name below a folder; BadInput when it is missing, outside or
    refused."""
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise BadInput("picture-outside-folder", picture=name)
    if not path.is_file():
        raise BadInput("picture-missing", picture=name)
    if path.stat().st_size > LARGEST_PICTURE:
        raise BadInput("picture-too-large", bytes=path.stat().st_size, limit=LARGEST_PICTURE)
    return picture_html(path.read_bytes(), "题图")


def sound_html(data: bytes) -> str:
    """Return a sound as an <audio> with controls that holds its own bytes; BadInput for another format or above
    1 MiB."""
    if len(data) > LARGEST_SOUND:
        raise BadInput("sound-too-large", bytes=len(data), limit=LARGEST_SOUND)
    kind = None
    if data.startswith(b"ID3") or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2):
        kind = "mpeg"
    elif data.startswith(b"OggS"):
        kind = "ogg"
    elif data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        kind = "wav"
    elif data[4:8] == b"ftyp":
        kind = "mp4"
    if kind is None:
        raise BadInput("sound-format-unknown")
    return f'<audio controls="" src="data:audio/{kind};base64,{base64.b64encode(data).decode()}"></audio>'
