"""Reading aloud: what a page says becomes sound on this box, in the language the page is shown in.

Leaving ends the voice and forgets how loud it was. Source: EN 301 549, 5.1.3.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from kiosk import files
from pos.errors import Invalid
from shop import forms, web
from shop.door import visitor

routes = Blueprint("speech", __name__)

VOLUME_COOKIE = "volume"
LOUDEST, USUAL = 5, 3
STEPS = {"louder": 1, "softer": -1}


@routes.post("/speech")
def speak() -> Response:
    """Say some words of a page in the language it is shown in."""
    text = " ".join(request.form.get("text", "").split())
    if not text:
        raise Invalid("nothing to say", field="text")
    return Response(files.kiosk().voice.speak(text, language=visitor().language), content_type="audio/wav")


@routes.post("/volume")
def change_volume() -> Response:
    """Make the voice a step louder or softer, for this visit."""
    step = STEPS.get(request.form.get("step", ""))
    if step is None:
        raise Invalid("not a step", field="step")
    response = web.see_other(forms.local_path(request.form.get("next")))
    wished = min(max(volume() + step, 1), LOUDEST)
    response.set_cookie(VOLUME_COOKIE, str(wished), samesite="Strict", httponly=True)
    return response


def volume() -> int:
    """Return how loud this visitor hears the voice, from 1 to `LOUDEST`."""
    text = request.cookies.get(VOLUME_COOKIE, "")
    return int(text) if text in {str(each) for each in range(1, LOUDEST + 1)} else USUAL
