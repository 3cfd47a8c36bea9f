"""`key=value`: dotted keys, values as YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.errors import ConfigError
from s2eval.overrides import override
from s2train.stages import STAGES, load


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


# --- values as the fields take them --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "runs/exp #2", "007", "12:30", "1e3", "null", "a: b", "off", "true", "1", "[a", "*x", "&x", "'a'", "- a", "x=y",
        "2024-01-01", "#", "{a: 1}", "!!int 1", "~",
    ],
)  # fmt: skip
def test_a_text_is_taken_as_it_was_typed(tmp_path: Path, typed: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("out: o\nmodel: {base: b, adapter: a}\ndata: {dir: d}\n", encoding="utf-8")
    keys = ["out", "model.base", "arguments.run_name", "data.train"]
    made = load(STAGES["sft"], path, [f"{key}={typed}" for key in keys])
    assert (made.out, made.model.base) == (typed, typed)
    # an optional text is taken away by null
    assert (made.arguments.run_name, made.data.train) == ((None, None) if typed == "null" else (typed, typed))


def test_numbers_lists_and_words_are_what_their_fields_take(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("out: o\nmodel: {base: b}\ndata: {dir: d}\n", encoding="utf-8")
    made = load(STAGES["sft"], path, [
        "arguments.learning_rate=1e-4", "arguments.max_steps=1e3", "model.lora.r=4", "model.lora.dora=yes",
        "data.limit=null",
        "model.lora.target_modules=[q_proj, v_proj]", "arguments.eval_strategy=no", "arguments.report_to=[none]",
        "arguments.lr_scheduler_kwargs={min_lr: 1e-6}", "data.set=eli5",
    ])  # fmt: skip
    assert (made.arguments.learning_rate, made.arguments.max_steps) == (1e-4, 1000)
    assert (made.model.lora.r, made.model.lora.dora, made.data.limit) == (4, True, None)
    assert made.model.lora.target_modules == ("q_proj", "v_proj")
    assert made.arguments.eval_strategy == "no"
    assert made.arguments.lr_scheduler_kwargs == {"min_lr": 1e-6}
    for wrong, message in {
        "data.limit=true": "data.limit: true is no number",
        "model.lora.r=1.5": "model.lora.r: Input should be a valid integer",
        "arguments.max_steps=yes": "arguments.max_steps: true is no number",
        "model.method=off": "model.method: unknown name 'off'",
        "model.lora.r=[1": "model.lora.r: '[1' is no YAML: not YAML: line 1",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load(STAGES["sft"], path, [wrong])
        assert caught.value.problems[0].startswith(message)


def test_a_name_in_the_place_of_a_section(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("out: o\nmodel: {base: b}\ndata: {dir: d}\nrewards: {a: x}\n", encoding="utf-8")
    for algorithm in ("ppo", "grpo"):
        made = load(
            STAGES["ppo"],
            path,
            [f"algorithm={algorithm}", "rewards.a=runs/a #2", "rewards.b={adapter: c, weight: 1e-1}"],
        )
        assert made.rewards["a"].adapter == "runs/a #2"


def test_the_lines_of_a_file_are_told_where_they_count(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("out: off\nmodel: {base: b}\ndata: {dir: d, limit: true}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(STAGES["sft"], path)
    assert sorted(caught.value.problems) == [
        "data.limit: true is no number (line 3)",
        'out: off is false to YAML, and a text is expected: put it in quotes, "off" (line 1)',
    ]
    with pytest.raises(ConfigError) as caught:
        load(STAGES["sft"], path, ["out=x", "data.limit=off"])  # not that of the file
    assert list(caught.value.problems) == ["data.limit: false is no number"]
