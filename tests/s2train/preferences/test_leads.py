"""The Simple lead of a subject against the regular one: of as many sentences, where it is the simpler one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics import readability
from s2train.data.preferences import LeadRecord, LeadSettings, Outcome, leads, sentences
from s2train.data.preferences.leads import NO_REGULAR, NOT_SIMPLER
from s2train.data.preferences.records import SAME, SHORT
from s2train.data.wiki import pairs as wiki

SIMPLE = "Ayr is a town in Scotland. It lies at the sea."
REGULAR = (
    "Ayr is a considerable municipality situated on the southwestern coast of Scotland.\nIt constitutes the"
    " administrative centre of an adjoining agricultural territory. Population statistics are unavailable."
)


def lead(simple: str = SIMPLE, regular: str = REGULAR, title: str = "Ayr", **settings: Any) -> Outcome:
    leads_of = LeadRecord(title=title, simple_text=simple, regular_text=regular)
    return leads(leads_of, LeadSettings.model_validate(settings), {"Burns": "Who was Burns?"})


def test_the_simple_lead_is_chosen_both_cut_to_as_many_sentences() -> None:
    (pair,) = lead().pairs
    assert pair.prompt == "What is Ayr?"
    assert pair.chosen == SIMPLE
    assert pair.rejected == REGULAR.replace("\n", " ").removesuffix(" Population statistics are unavailable.")
    assert pair.margin == readability(pair.rejected).fkg - readability(SIMPLE).fkg > 5
    assert lead(equal_sentences=False).pairs[0].rejected == REGULAR.replace("\n", " ")
    assert lead(title="Burns").pairs[0].prompt == "Who was Burns?"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"title": ""}, wiki.NO_TITLE),
        ({"title": "Ayr (disambiguation)"}, wiki.DISAMBIGUATION),
        ({"simple": " \n"}, wiki.NO_LEAD),
        ({"regular": "&nbsp;\n"}, NO_REGULAR),
        ({"regular": SIMPLE.upper()}, SAME),
        ({"simple": "Ayr is a town."}, SHORT),
        ({"simple": REGULAR, "regular": SIMPLE}, NOT_SIMPLER),
    ],
)
def test_leads_without_a_pair(fields: dict[str, Any], reason: str) -> None:
    assert lead(**fields) == Outcome((), {reason: 1})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It rains. We go!  Why?\nSo.", ["It rains.", "We go!", "Why?", "So."]),
        ('He said "No." Then 3.5 km. 2 more.', ['He said "No."', "Then 3.5 km.", "2 more."]),
        ("George W. Bush met Dr. No in St. Louis, U.S. He left e.g. today.", None),
        ("", [""]),
    ],
)
def test_sentences(text: str, parts: list[str] | None) -> None:
    assert sentences(text) == ([text] if parts is None else parts)


@given(st.text(alphabet='aB1.!?"” \n'))
def test_sentences_lose_nothing_but_space(text: str) -> None:
    assert " ".join(sentences(text)) == " ".join(text.split())
