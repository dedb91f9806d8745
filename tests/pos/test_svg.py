"""What a drawing from outside may hold, and what it becomes in a page."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest

from demo.sample_skus import SAMPLE
from pos.svg import OWN_ID, NotADrawing, drawing_size, page_part

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 120">{}</svg>'
DRAWING = SVG.format('<rect width="9" height="9" fill="#123456"/>').encode()


@pytest.mark.parametrize("name", ["UTF-8", "utf-8"])
def test_a_drawing_that_says_utf_8_is_taken(name: str) -> None:
    assert drawing_size(f'<?xml version="1.0" encoding="{name}"?>'.encode() + DRAWING) == (240, 120)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<g onload="alert(1)"/>',
        '<a href="https://evil.test"><rect/></a>',
        '<image href="https://evil.test/x.png"/>',
        '<use href="#a"/>',
        "<foreignObject><p/></foreignObject>",
        "<style>*{fill:url(https://evil.test)}</style>",
        '<rect style="fill:url(https://evil.test/x)"/>',
        '<rect style="fill:url(#ok)"/>',
        '<rect style="behavior:expression(1)"/>',
        '<rect style="background-image:none"/>',
        '<rect fill="url(https://evil.test/x)"/>',
        '<rect fill="url(//evil.test/x)"/>',
        '<rect fill="u\\72l(x)"/>',
        '<rect fill="image-set(a)"/>',
        '<rect fill="var(--x)"/>',
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<set attributeName="onload" to="x"/>',
        '<rect filter="url(#f)"/>',
        "<text>hello</text>",
        "loose words",
        '<rect xmlns="http://www.w3.org/1999/xhtml"/>',
        '<g xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="#a"/>',
        '<svg viewBox="0 0 1 1"/>',
        "<?php echo 1 ?>",
        "<rect>",
        "&undefined;",
        '<rect id="a b"/>',
        "<g>" * 30 + "</g>" * 30,
        "<rect/>" * 2_001,
        '<iframe src="x"/>',
        "<metadata/>",
    ],
)
def test_a_drawing_that_could_act_or_fetch_is_refused(inside: str) -> None:
    with pytest.raises(NotADrawing, match="SVG line 1"):
        drawing_size(SVG.format(inside).encode())


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + SVG.format("<title>&b;</title>"),
        '<!DOCTYPE svg SYSTEM "http://evil.test/x.dtd">' + SVG.format(""),
        '<?xml-stylesheet href="http://evil.test/x.css"?>' + SVG.format(""),
        '<svg xmlns="http://www.w3.org/2000/svg"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 0 10"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1e9 1e9"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ... 9"/>',
        '<svg viewBox="0 0 9 9"/>',
        '<html xmlns="http://www.w3.org/1999/xhtml"/>',
        "",
    ],
)
def test_a_document_that_is_no_plain_drawing_is_refused(content: str) -> None:
    with pytest.raises(NotADrawing, match="SVG"):
        drawing_size(content.encode())


def test_another_encoding_cannot_hide_what_is_inside() -> None:
    hidden = '<?xml version="1.0" encoding="UTF-7"?>' + SVG.format("+ADw-script+AD4-")
    for content in (hidden.encode(), SVG.format("<script/>").encode("utf-16")):
        with pytest.raises(NotADrawing):
            drawing_size(content)


def test_shapes_gradients_and_plain_styles_pass() -> None:
    inside = (
        '<title>Un téléphone</title><defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs>'
        '<g transform="rotate(4 1 1)" style="fill: #123; stroke-width:2"><path d="M0 0h1e2z" fill="url(#a)"/></g>'
    )
    assert drawing_size(('<?xml version="1.0" encoding="utf-8"?>\n' + SVG.format(inside)).encode()) == (240, 120)


def test_the_sample_s_drawings_are_within_the_rules() -> None:
    drawings = sorted((SAMPLE / "media").glob("*.svg"))
    assert len(drawings) >= 4
    for path in drawings:
        assert drawing_size(path.read_bytes()) == (320, 320)


@pytest.mark.parametrize(
    "value", ["m" * 11_000, " " * 11_000, "m " * 5_500, "(" * 11_000, "m-" * 5_500], ids=lambda value: repr(value[:2])
)
def test_a_long_path_is_judged_at_once(value: str) -> None:
    began = time.thread_time()
    with suppress(NotADrawing):
        drawing_size(SVG.format(f'<path d="{value}"/>').encode())

    assert time.thread_time() - began < 0.2


@pytest.mark.parametrize(
    "value", ["evil(1)", "scale(1) evil(1)", "scale(1)evil (1)", "scale (1) (1)", "e-scale(1)", "scale\n(1) evil\n(1)"]
)
def test_a_function_of_no_drawing_is_refused_wherever_it_stands(value: str) -> None:
    drawing_size(SVG.format('<g transform="scale(2) rotate (4)"/>').encode())
    with pytest.raises(NotADrawing, match="value of transform"):
        drawing_size(SVG.format(f'<g transform="{value}"/>').encode())


def test_a_page_gets_shapes_alone_with_ids_of_their_own_and_no_style() -> None:
    inside = (
        '<title>&lt;Téléphone&gt;</title><desc>dos</desc><defs><linearGradient id="a"><stop offset="0"/></linearGradient></defs>'
        '<g id="b" style="fill: #123; stroke-width:2"><path d="M0 0h1" fill="url(#a)"/></g>'
    )
    content = SVG.replace("viewBox", 'id="s" width="9" role="img" aria-label="&lt;b&gt;" fill="none" viewBox').format(inside)
    assert page_part(content.encode()).replace(OWN_ID, "d1-") == (
        '<svg class="drawing" aria-hidden="true" fill="none" viewBox="0 0 240 120">'
        '<defs><linearGradient id="d1-a"><stop offset="0"></stop></linearGradient></defs>'
        '<g id="d1-b" fill="#123" stroke-width="2"><path d="M0 0h1" fill="url(#d1-a)"></path></g></svg>'
    )


def test_what_may_not_be_in_a_drawing_comes_into_no_page() -> None:
    with pytest.raises(NotADrawing, match="SVG line 1: element script"):
        page_part(SVG.format("<script>alert(1)</script>").encode())


def test_the_sample_s_drawings_are_drawn_whole_in_a_page() -> None:
    for path in (SAMPLE / "media").glob("*.svg"):
        part = page_part(path.read_bytes())
        assert len(re.findall("<(?!/)", part)) == len(re.findall(rb"<(?![/?!]|title|desc)", path.read_bytes()))
        assert set(re.findall(r"url\(#(.*?)\)", part)) <= set(re.findall(r' id="(.*?)"', part))
