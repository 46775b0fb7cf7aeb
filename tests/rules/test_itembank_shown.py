"""What the sanitiser keeps and drops: formulas, tables, pictures, sounds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.interchange.csv import read_csv
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.sanitising import (
    LARGEST_PICTURE,
    LARGEST_SOUND,
    picture_html,
    sanitised,
    sound_html,
)

MP3 = b"ID3" + bytes(30)
FENCED = '<math><mfenced open="[" close=")" separators=";,"><mi>a</mi><mn>1</mn><mn>2</mn></mfenced></math>'


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (FENCED, '<math><mrow><mo stretchy="true" fence="true">[</mo><mrow><mi>a</mi><mo>;</mo><mn>1</mn><mo>,</mo>'
                 '<mn>2</mn></mrow><mo stretchy="true" fence="true">)</mo></mrow></math>'),
        ('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block" onclick="x()"><mi href="javascript:x">y</mi>'
         "</math>", '<math display="block"><mi>y</mi></math>'),
        ("<math><semantics><mi>x</mi><annotation>\\\\x</annotation></semantics></math>",
         "<math><semantics><mi>x</mi></semantics></math>"),
        ('<table style="a" onclick="b"><tr><th scope="col">1<td colspan="2">2</table>',
         '<table><tbody><tr><th scope="col">1</th><td colspan="2">2</td></tr></tbody></table>'),
        ("用<img>标签", "用&lt;img&gt;标签"),
        ('a<img src="http://127.0.0.1/x.png">b', "ab"),
        ('a<img src="data:image/svg+xml;base64,AAAA">b', "ab"),
        ('<audio autoplay src="data:audio/mpeg;base64,AAAA"></audio>',
         '<audio src="data:audio/mpeg;base64,AAAA" controls=""></audio>'),
        ('a<audio src="http://127.0.0.1/x.mp3" autoplay></audio>b', "ab"),
        ('<video src="x">v</video><p>b</p>', "<p>b</p>"),
    ],
)  # fmt: skip
def test_what_is_kept(given: str, shown: str) -> None:
    """Formulas are kept in what browsers draw, tables with their spans, sounds with controls; the rest is dropped."""
    assert sanitised(given) == shown
    assert sanitised(shown) == shown


def test_a_sound_stands_in_the_text() -> None:
    """A small MP3 comes through the sanitiser as it is; one above the limit or of no known form is refused."""
    shown = sound_html(MP3)
    assert sanitised(f"<p>听</p>{shown}").count("<audio") == 1
    assert sanitised(shown) == sanitised(sanitised(shown))
    with pytest.raises(BadInput, match="sound-too-large"):
        sound_html(MP3 + bytes(LARGEST_SOUND))
    with pytest.raises(BadInput, match="sound-format-unknown"):
        sound_html(b"<svg/>" + bytes(20))


def test_a_picture_that_is_lost_makes_its_row_doubtful() -> None:
    """A linked or oversized picture is dropped and named; one that is held is no doubt."""
    held = picture_html(b"\x89PNG\r\n\x1a\n" + bytes(30), "图").replace('"', "'")
    large = f"<img src='data:image/png;base64,{'A' * (LARGEST_PICTURE * 4 // 3 + 100)}'>"
    for picture, doubt in ((held, False), ("<img src='http://127.0.0.1/p.png'>", True), (large, True)):
        table = read_csv(f'题型,题干,答案\n判断题,"题{picture}",对\n'.encode())
        (outcome,) = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None)).outcomes
        assert ("picture-shows-nothing" in [one.code for one in outcome.remarks if one.doubt]) is doubt
        assert outcome.content is not None


PIECES = st.sampled_from([
    "<math>", "</math>", "<mfenced>", "</mfenced>", "<mi>x</mi>", "<mtext>", "</mtext>", "<mo>&lt;</mo>", "<mglyph>",
    "<img>", "<img src=x>", "<audio>", "<table>", "<tr><td>", "</table>", "<svg>", "<style>", "</style>", "<!--", "-->",
    "<annotation-xml>", "<script>x</script>", "&lt;", "a", "<p>", "<br>", "<a href='javascript:x'>", "\u00a0", ">",
])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_what_is_safe_stays_the_same(text: str) -> None:
    """Sanitising twice changes nothing, and no element, link or script outside the list is ever left."""
    safe = sanitised(text)
    assert sanitised(safe) == safe
    for banned in ("<script", "<svg", "<style", "<a ", "<annotation", "javascript:x'", "<mglyph", "src=x"):
        assert banned not in safe
