"""Reading aloud: bounded, one voice at a time, in the language shown, and gone with the visit."""

from __future__ import annotations

import io
import os
import shutil
import threading
import time
import wave
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from kiosk import voice
from kiosk.app import create_app
from kiosk.voice import MOST_LETTERS, Voice
from pos.errors import Unavailable
from tests import world

HEADER = r"RIFF\0\0\0\0WAVEfmt \20\0\0\0\1\0\1\0\42V\0\0D\254\0\0\2\0\20\0data\377\377\377\177"
SAYS = f"""#!/bin/sh
echo "$@" >> {{folder}}/asked
cat >> {{folder}}/said
printf '{HEADER}'
head -c 4410 /dev/zero
"""
HANGS = """#!/bin/sh
echo $$ >> {folder}/begun
exec sleep 60
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first where programs are looked for."""
    place = tmp_path / "programs"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return place


def install(folder: Path, script: str) -> None:
    program = folder / voice.PROGRAM
    program.write_text(script.replace("{folder}", str(folder)))
    program.chmod(0o755)


@pytest.fixture
def speaking(folder: Path, kiosk: world.Kiosk) -> FlaskClient:
    """A visitor of a kiosk whose voice writes down what it is told."""
    install(folder, SAYS)
    return create_app(kiosk.directory, sync=False).test_client()


def test_words_become_sound_in_the_language_shown(speaking: FlaskClient, folder: Path) -> None:
    answer = speaking.post("/speech", data={"text": "Trois  mots\nici"})
    speaking.post("/language", data={"language": "en"})
    speaking.post("/speech", data={"text": "Two words"})

    assert answer.mimetype == "audio/wav"
    with wave.open(io.BytesIO(answer.data)) as sound:
        assert sound.getnframes() == 2205
    first, second = (folder / "asked").read_text().splitlines()
    assert first.startswith("-v fr-fr ")
    assert second.startswith("-v en-gb ")
    assert (folder / "said").read_text() == "Trois mots iciTwo words"


def test_words_are_never_an_argument_nor_a_script_of_their_own(speaking: FlaskClient, folder: Path) -> None:
    speaking.post("/speech", data={"text": "--path=/etc -w /tmp/x [[h@l'oU]]"})

    assert (folder / "said").read_text() == "--path=/etc -w /tmp/x [ [h@l'oU]]"
    assert "/etc" not in (folder / "asked").read_text()


def test_a_long_text_is_cut_and_an_empty_one_refused(speaking: FlaskClient, folder: Path) -> None:
    assert speaking.post("/speech", data={"text": " \n"}).status_code == 400
    speaking.post("/speech", data={"text": "a" * 5_000})

    assert len((folder / "said").read_text()) == MOST_LETTERS


def test_a_voice_that_hangs_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(folder, HANGS)
    monkeypatch.setattr(voice, "PATIENCE_S", 0.05)

    with pytest.raises(Unavailable):
        Voice().speak("rien", language="fr")


@pytest.mark.parametrize("ending", ["another voice", "leaving"])
def test_a_new_voice_and_leaving_end_what_was_being_said(folder: Path, kiosk: world.Kiosk, ending: str) -> None:
    install(folder, HANGS)
    app = create_app(kiosk.directory, sync=False)
    answers: list[int] = []

    def ask() -> None:
        answers.append(app.test_client().post("/speech", data={"text": "long"}).status_code)

    first = threading.Thread(target=ask)
    first.start()
    begun = folder / "begun"
    deadline = time.monotonic() + 20
    while not (begun.exists() and begun.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    if ending == "leaving":
        app.test_client().post("/leave", data={"s": "none"})
    else:
        install(folder, SAYS)
        assert app.test_client().post("/speech", data={"text": "neuf"}).status_code == 200
    first.join(timeout=20)

    assert answers == [503]


def test_volume_goes_in_steps_and_no_further(speaking: FlaskClient) -> None:
    speaking.post("/view", data={"flip": "speech"})
    heard = []
    for step in ("louder", "louder", "louder", "softer"):
        speaking.post("/volume", data={"step": step, "next": "/home"})
        heard.append(speaking.get("/home").text.split('data-volume="')[1][0])

    assert heard == ["4", "5", "5", "4"]
    assert speaking.post("/volume", data={"step": "off"}).status_code == 400


def test_leaving_forgets_the_voice_and_how_loud_it_was(speaking: FlaskClient) -> None:
    speaking.post("/view", data={"flip": "speech"})
    speaking.post("/volume", data={"step": "louder"})
    speaking.post("/leave", data={"s": "none"})
    assert "data-speech" not in speaking.get("/home").text
    speaking.post("/view", data={"flip": "speech"})

    assert 'data-volume="3"' in speaking.get("/home").text


def test_a_box_without_a_voice_offers_none(kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    client = create_app(kiosk.directory, sync=False).test_client()

    assert "Lire à voix haute" not in client.get("/home").text
    assert client.post("/speech", data={"text": "rien"}).status_code == 503


@pytest.mark.parametrize("language", voice.VOICES)
def test_the_real_voice_speaks_every_language_we_know(language: str) -> None:
    if shutil.which(voice.PROGRAM) is None:
        message = f"no {voice.PROGRAM}: run tests/system.sh"
        pytest.fail(message) if os.environ.get("COMPTOIR_REQUIRE_ALL") else pytest.skip(message)
    with wave.open(io.BytesIO(Voice().speak("iPhone 13, 329 €. 12345", language=language))) as sound:
        assert sound.getnframes() / sound.getframerate() > 1
