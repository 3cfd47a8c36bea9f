"""Thresholds as they stand in a configuration: defaults, and what is refused by name."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from s2train.data.filters import FILTERS
from s2train.data.filters.config import Filters, chosen


def test_every_filter_has_its_section_and_is_asked_by_default() -> None:
    assert {*FILTERS, "order"} == set(Filters.model_fields)
    assert sorted(Filters().order) == sorted(FILTERS)


def test_filters_come_in_the_order_of_the_configuration() -> None:
    assert [one.name for one in chosen(Filters())] == ["length", "pii", "language", "readability", "toxicity"]
    assert [one.name for one in chosen(Filters(order=("toxicity", "length")))] == ["toxicity", "length"]
    assert chosen(Filters(order=())) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"order": ["length", "toxcity"]}, "unknown filter 'toxcity'; did you mean 'toxicity'"),
        ({"order": ["order"]}, "unknown filter 'order'"),
        ({"order": ["pii", "length", "pii"]}, "filter 'pii' appears twice"),
        ({"lenght": {}}, "Extra inputs are not permitted"),
        ({"length": {"min_words": 3}}, "Extra inputs are not permitted"),
        ({"length": {"min_answer_words": 500}}, "min_answer_words 500 is above max_answer_words 400"),
        ({"length": {"min_question_words": -1}}, "greater than or equal to 0"),
        ({"readability": {"min_fre": float("nan")}}, "finite number"),
        ({"toxicity": {"max_probability": 1.5}}, "less than or equal to 1"),
        ({"pii": {"kinds": ["e-mail"]}}, "Input should be 'email', 'phone'"),
        ({"language": {"language": "English"}}, "should match pattern"),
    ],
)
def test_what_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Filters.model_validate(given)


def test_a_configuration_survives_json_and_filters_survive_pickling() -> None:
    config = Filters.model_validate({"order": ["pii"], "pii": {"kinds": ["ip", "email"]}})
    assert Filters.model_validate_json(config.model_dump_json()) == config
    assert pickle.loads(pickle.dumps(chosen(config))) is not None
