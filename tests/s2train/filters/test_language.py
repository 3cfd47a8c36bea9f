"""Other languages than English go; what is too short to tell stays."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from s2eval.errors import PrerequisiteError, UsageError
from s2train.data.filters.language import Language, excerpt, reason
from s2train.data.records import Pair

ENGLISH = "The sky is blue because the air scatters the blue light of the sun more than the red light."
OTHERS = {
    "de": "Der Himmel ist blau, weil die Luft das kurzwellige Licht der Sonne stärker streut als das rote.",
    "fr": "Le ciel est bleu parce que l'air diffuse davantage la lumière bleue que la lumière rouge du soleil.",
    "es": "El cielo es azul porque el aire dispersa más la luz azul que la luz roja que viene del sol.",
    "ru": "Небо голубое, потому что воздух рассеивает синий свет солнца сильнее, чем красный свет.",
    # not in `among`
    "fi": "Taivas on sininen, koska ilma sirottaa auringon sinistä valoa enemmän kuin punaista valoa.",
}


def said(question: str, answer: str, **limits: object) -> str | None:
    return reason(Pair("1", question, answer, "test"), Language.model_validate(limits))


@pytest.mark.parametrize("code", OTHERS)
def test_other_languages_go(code: str) -> None:
    assert said("Why?", OTHERS[code]) == "answer not in en"
    assert said(OTHERS[code], ENGLISH) == "question not in en"
    assert said(ENGLISH, ENGLISH) is None


def test_short_texts_stay() -> None:
    short = OTHERS["de"][:59]
    assert said(short, ENGLISH) is None
    assert said(short + "x", ENGLISH) == "question not in en"  # 60 characters
    assert said(short, ENGLISH, min_characters=59) == "question not in en"
    assert said("", "") is None
    assert said("", "", min_characters=0) is not None  # then every text must have a language, and these have none


def test_names_in_brackets_and_what_comes_late_do_not_count() -> None:
    lead = (
        "Leo Tolstoy (Russian: Лев Николаевич Толстой, Лев Николаевич Толстой) was a writer of long novels in Russia."
    )
    assert excerpt(lead) == "Leo Tolstoy  was a writer of long novels in Russia."
    assert said("Who?", lead, min_characters=20) is None
    assert said("Who?", f"{ENGLISH} {ENGLISH} {ENGLISH} {OTHERS['ru'] * 9}") is None
    assert len(excerpt("a" * 1000)) == 150


def test_another_language_may_be_the_wanted_one() -> None:
    assert said(OTHERS["de"], OTHERS["de"], language="de") is None
    assert said(OTHERS["de"], ENGLISH, language="de", among=["de", "en"]) == "answer not in de"


def test_wrong_configurations() -> None:
    with pytest.raises(ValidationError, match="'fi' is not in `among`"):
        Language(language="fi")
    with pytest.raises(UsageError, match=r"filters\.language\.among: Unknown language code\(s\): \{'qq'\}"):
        said(ENGLISH, ENGLISH, among=["en", "qq"])


def test_the_same_in_another_process() -> None:
    code = (
        "from s2train.data.filters.language import _identifier\n"
        "from s2train.data.filters.language import AMONG\n"
        f"print(_identifier(AMONG).rank({ENGLISH!r}))"
    )
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    assert len(runs) == 1
    assert next(iter(runs)).startswith("[('en', ")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(PrerequisiteError, match="pip install py3langid"):
        said(ENGLISH, ENGLISH, among=["en", "da"])  # a choice that is not remembered


def test_hostile_texts_end() -> None:
    for text in ("(" * 100_000, "()" * 50_000, "(a" * 50_000, "\ud800" * 1000, "\x00" * 1000):
        said(text, text)
