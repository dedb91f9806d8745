"""What a PDF says, page after page, and its pages as pictures."""

from __future__ import annotations

import pypdfium2


def printed(content: bytes) -> str:
    """Return the text of a PDF, its line ends and soft spaces folded."""
    assert content.startswith(b"%PDF-")
    with pypdfium2.PdfDocument(content) as document:
        pages = [page.get_textpage().get_text_bounded() for page in document]
    return " ".join(" ".join(pages).split())
