"""Entities and invisible characters, in every place where a text of a dump comes in."""

from __future__ import annotations

import pytest

from s2train.data.eli5 import pairs as eli5
from s2train.data.eli5.pairs import Eli5Record
from s2train.data.preferences import LeadRecord, LeadSettings, dialogue, leads
from s2train.data.records import Kept
from s2train.data.rules import CHARACTERS, ENTITIES, characters, clean, entities
from s2train.data.wiki import pairs as wiki


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("R&amp;D", "R&D"),
        ("R&amp;amp;D", "R&D"),
        ("a&amp;nbsp;b &amp;#x200B; &amp;#8203;c", "a\xa0b  c"),
        ("&amp;lt;b&amp;gt; &lt; &#60; &#x3C;", "<b> < < <"),
        ("write &amp;amp;amp; or &amp;amp;lt;", "write &amp; or &lt;"),  # meant to be read as such
        ("& nbsp;& amp;nbsp;", "\xa0\xa0"),
        ("AT&T; a & b; &foo; &copyright; &notit;", "AT&T; a & b; &foo; &copyright; &notit;"),  # no names of HTML's
        ("&#12abc; &#xZ; &#; &", "&#12abc; &#xZ; &#; &"),
        ("don&#146;t &hellip; &eacute;", "don’t … é"),
    ],
)
def test_references_are_decoded_twice(text: str, cleaned: str) -> None:
    assert clean(text, (ENTITIES, CHARACTERS)).text == cleaned


def test_once_is_once() -> None:
    assert entities("&amp;nbsp;") == "&nbsp;"


FAMILY, RAINBOW, SCOTLAND = (
    "👨\u200d👩\u200d👧",
    "🏳\ufe0f\u200d🌈",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("co\xadop\u200ber\u2060ate\ufeff", "cooperate"),
        ("\u202eevil\u202c \u200eleft\u200f \u2066x\u2069 \u061c", "evil left x "),
        ("a\u200db\u200c c\ufe0f\U000e0061\U000e0100", "ab c"),
        ("x\x00\x1b\x7f\x92y\tz", "xy\tz"),
        ("a\u2028b\x85c\r\nd", "a\nb\nc\nd"),
        (
            f"{FAMILY} {RAINBOW} {SCOTLAND} 1\ufe0f\u20e3 ❤\ufe0f 👍🏽",
            f"{FAMILY} {RAINBOW} {SCOTLAND} 1\ufe0f\u20e3 ❤\ufe0f 👍🏽",
        ),
        ("می\u200cخواهم क्\u200dष 葛\U000e0100", "می\u200cخواهم क्\u200dष 葛\U000e0100"),
        ("\u200d👩 👩\u200d", "👩 👩"),
    ],
)
def test_what_cannot_be_seen_goes(text: str, visible: str) -> None:
    assert characters(text) == visible


TWICE = "R&amp;amp;D&amp;#x200B; &amp;nbsp;is co&amp;shy;op"


def test_titles_bodies_and_answers_of_reddit() -> None:
    record = Eli5Record.model_validate(
        {
            "q_id": "a",
            "title": f"T {TWICE}",
            "selftext": f"B {TWICE}",
            "answers": {"text": [f"A {TWICE}"], "score": [1]},
        }
    )
    kept = eli5.pair(record)
    assert isinstance(kept, Kept)
    assert (kept.pair.question, kept.pair.answer) == ("T R&D is coop\n\nB R&D is coop", "A R&D is coop")


def test_an_answer_of_invisible_characters_is_empty() -> None:
    record = Eli5Record.model_validate(
        {
            "q_id": "a",
            "title": "T",
            "answers": {"text": ["&amp;#x200B; &amp;nbsp;\n\n&amp;#x200B;", "right"], "score": [9, 1]},
        }
    )
    kept = eli5.pair(record)
    assert isinstance(kept, Kept)
    assert kept.pair.answer == "right"


def test_articles_and_preferences() -> None:
    kept = wiki.pair(wiki.WikiRecord(title=TWICE, text=TWICE))
    assert isinstance(kept, Kept)
    assert (kept.pair.question, kept.pair.answer) == ("What is R&D is coop?", "R&D is coop")
    assert dialogue(f"\n\nHuman: {TWICE}\n\nAssistant: A") == ["R&D is coop", "A"]
    record = LeadRecord(
        title="T",
        simple_text=f"It {TWICE}. " * 6,
        regular_text=f"Notwithstanding interdisciplinary {TWICE} organisations. " * 6,
    )
    (preference,) = leads(record, LeadSettings(min_grades=0)).pairs
    assert "&" not in preference.chosen.replace("R&D", "") + preference.rejected.replace("R&D", "")
