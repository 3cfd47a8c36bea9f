"""`key=value`: dotted keys, values as YAML."""

from __future__ import annotations

from s2train.training.overrides import override


def test_values_are_yaml_and_keys_are_dotted() -> None:
    raw = {"model": {"base": "a", "lora": {"r": 8}}}
    made, wrong = override(raw, ["model.base=b", "model.lora.r=4", "data.limit=null", "arguments.betas=[1, 2]"])
    assert wrong == []
    assert made["model"] == {"base": "b", "lora": {"r": 4}}
    assert made["data"] == {"limit": None}
    assert made["arguments"] == {"betas": [1, 2]}
    assert raw == {"model": {"base": "a", "lora": {"r": 8}}}  # as it was


def test_the_last_of_two_counts_and_a_value_may_hold_an_equals_sign() -> None:
    assert override({}, ["a=1", "a=x=y"]) == ({"a": "x=y"}, [])


def test_all_that_cannot_be_made_is_told() -> None:
    made, wrong = override({"out": "runs/x"}, ["out.deep=1", "nothing", "=3", "a..b=1", "c=[1", "d=4"])
    assert made["d"] == 4
    assert len(wrong) == 5
    assert wrong[0] == "out.deep: out holds 'runs/x', which has no keys"
    assert wrong[1] == "'nothing': expected key=value, with dots for keys in keys"
    assert wrong[4].startswith("c: '[1' is no YAML")
