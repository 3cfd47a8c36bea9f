"""The effect of a merge as numbers, words, tables and a picture, from measurements made up for it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from s2eval import stats
from s2eval.report.compare import Compared, Comparison, ComparisonTable
from s2train.merge.effect import (
    BF16,
    QDQ,
    TRAINED,
    Effect,
    Matrix,
    Measured,
    Pair,
    Predictions,
    Weights,
    advise,
    chart,
    effect_json,
    render_effect,
)
from s2train.merge.effect.records import group

PROMPTS = 8


def matrix(layer: int | None, kind: str, change: float, size: float, bf16: float, qdq: float) -> Matrix:
    return Matrix(f"model.layers.{layer}.{kind}", layer, kind, change, size, {QDQ: qdq, BF16: bf16})


WEIGHTS = Weights(
    (
        matrix(0, "q_proj", 3.0, 30.0, 4.0, 0.3),
        matrix(0, "up_proj", 4.0, 40.0, 3.0, 0.4),
        matrix(1, "q_proj", 0.0, 10.0, 1.0, 0.0),
    ),
    ("a note on weights",),
)


def predictions(
    qdq: float = 0.001, bf16: float = 0.009, spread: float = 0.1, prompts: int = PROMPTS, losses: Any = None
) -> Predictions:
    """Two tokens a prompt, whose KL is the mean ± a spread that is the same for both merges."""

    def pair(model: str, other: str, mean: float) -> Pair:
        values = [mean * (1 + spread * math.sin(number)) for number in range(2 * prompts)]
        return Pair(model, other, tuple(values), tuple(number % 4 > 0 for number in range(2 * prompts)))

    return Predictions(
        tuple(f"question {number}" for number in range(prompts)),
        tuple(number // 2 for number in range(2 * prompts)),
        (pair(TRAINED, QDQ, qdq), pair(TRAINED, BF16, bf16), pair(QDQ, BF16, bf16)),
        losses or {},
        "float32",
    )


def row(
    baseline: str, model: str, first: list[int], second: list[int], task: str = "s2_arc", better: str = "high"
) -> Comparison:
    found = stats.paired_difference(first, second)
    estimate = stats.scale(found.estimate, 100)
    return Comparison(
        baseline,
        model,
        task,
        "",
        "",
        "acc",
        "ARC, %",
        (50.0, 50.0),
        replace(found, estimate=estimate),
        adjusted=found.p,
        tests=1,
        detectable=1.25,
        digits=1,
        unit="points",
        better=better,
    )


def effect(compared: Compared | None = None, **measured: Any) -> Effect:
    given = {"weights": WEIGHTS, "predictions": predictions(), **measured}
    return Effect("runs/sft", "org/base", "s2", "NF4, blocks of 64, single quantisation", Measured(**given), compared)


def tasks(*rows: Comparison) -> Compared:
    return Compared((ComparisonTable("arc", "ARC", rows),))


def test_several_matrices_are_one_vector() -> None:
    """Layer 0: √(4² + 3²) / √(3² + 4²) = 1 of the change, 5 / √(30² + 40²) = 0.1 of the size; qdq 0.5 / 5."""
    first, second = WEIGHTS.by_layer()
    assert (first.name, first.matrices) == ("0", 2)
    assert first.of_change == pytest.approx({QDQ: 0.1, BF16: 1.0})
    assert first.of_size == pytest.approx({QDQ: 0.01, BF16: 0.1})
    assert second.of_change == {QDQ: None, BF16: None}  # the adapter adds nothing there
    assert second.of_size == pytest.approx({QDQ: 0.0, BF16: 0.1})
    assert [(group.name, group.matrices) for group in WEIGHTS.by_kind()] == [("q_proj", 2), ("up_proj", 1)]
    assert group("all", WEIGHTS.matrices).of_change[BF16] == pytest.approx(math.sqrt(26) / 5)


def test_what_is_in_no_layer_comes_first() -> None:
    weights = Weights((*WEIGHTS.matrices, matrix(None, "lm_head", 1, 1, 1, 1)))
    assert [group.name for group in weights.by_layer()] == ["outside", "0", "1"]


def test_divergence_is_clustered_by_prompt() -> None:
    """Four prompts of two tokens, means 1 and 3: mean 2, standard error √(4/3 · 4 · 2²) / 8 = 1/√3."""
    pair = Pair(TRAINED, QDQ, (1.0, 1.0, 3.0, 3.0) * 2, (True, True, False, True) * 2)
    found = Predictions(tuple("abcd"), (0, 0, 1, 1, 2, 2, 3, 3), (pair,), {}, "float32")
    one = found.divergence(pair)
    assert (one.value, one.stderr, one.n) == (2.0, pytest.approx(3**-0.5), 8)
    share = 3.18245 / 3**0.5 / 2  # t of 3 degrees of freedom, standard errors over the value
    assert one.ci_high == pytest.approx(2 * (1 + share + share**2), abs=1e-3)
    assert 0 < one.ci_low < 2  # a divergence is never negative
    agreed = found.agreement(pair)
    assert agreed.value == 0.75
    assert 0 < agreed.ci_low < 0.75 < agreed.ci_high <= 1
    assert found.by_prompt(pair) == [1.0, 3.0] * 2
    assert found.excess() is None  # there is no bf16


def test_qdq_where_it_is_nearer() -> None:
    """Ratio 0.009 / 0.001 = 9; eight prompts of one sign: p = 2 / 2⁸."""
    said = advise(effect())
    assert said.startswith(
        "qdq: on 16 tokens of 8 prompts its distribution is 9 times nearer to the trained one (KL 0.00"
    )
    assert "p = 0.008" in said
    assert said.endswith("No tasks were evaluated (--tasks).")


def test_bf16_where_it_is_nearer() -> None:
    said = advise(effect(predictions=predictions(qdq=0.009, bf16=0.001)))
    assert said.startswith("bf16: on 16 tokens of 8 prompts its distribution is 9 times nearer")


def test_either_where_nothing_was_shown() -> None:
    """Four prompts: p is 2 / 2⁴ at best."""
    said = advise(effect(predictions=predictions(prompts=4)))
    assert said.startswith("either: on 8 tokens of 4 prompts no difference was shown in the distance")


def test_a_ratio_that_is_rounding_is_no_number() -> None:
    assert "more than 1,000 times nearer" in advise(effect(predictions=predictions(qdq=1e-12)))
    assert "more than 1,000 times nearer" in advise(effect(predictions=predictions(qdq=0.0)))


def test_likelier_answers_are_told_whichever_merge_is_nearer() -> None:
    """Each of 16 tokens is 0.1 nats dearer with qdq."""
    losses = {QDQ: (2.1,) * 16, BF16: (2.0,) * 16}
    said = advise(effect(predictions=predictions(losses=losses)))
    assert said.startswith("bf16: it was shown to be the better model here, though it is not the one that was trained.")
    assert "Nearest to what was trained is qdq: on 16 tokens of 8 prompts its distribution is 9 times nearer" in said
    assert "likelier with bf16 (2.1000 nats a token with qdq, 2.0000 with bf16, p = 0.008)" in said
    text = render_effect(effect(predictions=predictions(losses=losses)))
    assert "| bf16    |                 2.0000" in text
    assert "Loss of bf16 less loss of qdq: -0.1 " in text
    turned = {QDQ: tuple(2 + (-1) ** (number // 2) for number in range(16)), BF16: (2.0,) * 16}
    said = advise(effect(predictions=predictions(losses=turned)))
    assert "Neither was shown to make the answers that were given likelier (2.0000 nats" in said
    assert "would have been detected)" in said


def test_tasks_without_a_difference_say_what_would_have_been_detected() -> None:
    said = advise(
        effect(tasks(row(TRAINED, BF16, [1] * 9 + [0], [0] * 10), row(QDQ, BF16, [1, 0, 1, 0], [0, 1, 1, 0])))
    )
    assert said.endswith(
        "On the tasks no difference of the two merges was shown; ARC: 1.2 points would have been detected."
    )


def test_a_task_that_says_otherwise_is_not_hidden() -> None:
    """Ten documents that bf16 alone solves: McNemar's mid-p 2⁻¹⁰."""
    said = advise(effect(tasks(row(QDQ, BF16, [0] * 10, [1] * 10))))
    assert said.startswith("bf16: it was shown to be the better model here, though")
    assert "a difference of the two merges was shown in 1 of 1 rows: bf16 above qdq by 100.0 points on ARC" in said
    assert said.endswith("Take it where the model must stay what was trained and evaluated.")
    worse = advise(effect(tasks(row(QDQ, BF16, [1] * 10, [0] * 10))))
    assert worse.startswith("qdq: on 16 tokens")
    assert "bf16 below qdq by 100.0 points" in worse
    losses = {QDQ: (2.1,) * 16, BF16: (2.0,) * 16}
    split = advise(effect(tasks(row(QDQ, BF16, [1] * 10, [0] * 10)), predictions=predictions(losses=losses)))
    assert split.startswith("qdq: on 16 tokens")  # one for each: what was trained
    unclear = advise(effect(tasks(row(QDQ, BF16, [0] * 10, [1] * 10)), predictions=predictions(prompts=4)))
    assert unclear.startswith("bf16: it was shown to be the better model here. On the tasks")
    assert "As to training, on 8 tokens of 4 prompts no difference was shown" in unclear


def test_equal_answers_and_no_common_task() -> None:
    same = advise(effect(tasks(row(QDQ, BF16, [1, 0, 1], [1, 0, 1]))))
    assert same.endswith("ARC: the same on every document.")
    assert advise(effect(tasks())).endswith("On no task could the two merges be compared.")


def test_an_unquantised_base_leaves_no_choice() -> None:
    found = predictions()
    alone = replace(found, pairs=(found.pairs[1],))
    one = replace(effect(predictions=alone), quantization="")
    said = advise(one)
    assert said.startswith("bf16: the adapter was trained on the base as it is. qdq would put a quantisation error in")
    assert "the merged model is at a KL of 0.009" in said
    assert "trained on the base as it is; template s2." in render_effect(one)


def test_the_report_says_it_all() -> None:
    text = render_effect(effect(tasks(row(QDQ, BF16, [1, 0, 1, 0], [0, 1, 1, 0]))), "merge_effect.svg")
    assert text.startswith("# What merging changed\n\n**Use qdq: on 16 tokens")
    lines = text.splitlines()
    assert "![Weight error by layer, KL by prompt](merge_effect.svg)" in lines
    assert "Adapter `runs/sft` on `org/base`, trained on NF4, blocks of 64, single quantisation; template s2." in lines
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert ["0", "2", "0.1", "1", "0.01", "0.1"] in cells
    assert ["1", "1", "–", "–", "0", "0.1"] in cells
    assert ["all", "3", "0.1", "1.02", "0.00981", "0.1"] in cells
    assert any(row[:2] == ["as-trained", "bf16"] and row[4] == "75.0%" for row in cells)
    assert "## Comparison" in lines
    assert "### ARC" in lines
    assert "- a note on weights" in lines
    assert [line for line in lines if line.startswith("# ")] == ["# What merging changed"]


def test_half_precision_is_noted() -> None:
    text = render_effect(effect(predictions=replace(predictions(), dtype="bfloat16")))
    assert "- the models computed in bfloat16, so the rounding of their arithmetic is part of the distances" in text


def test_json_holds_every_number() -> None:
    found = json.loads(json.dumps(effect_json(effect(tasks(row(QDQ, BF16, [1, 0], [0, 1]))))))
    assert found["recommendation"].startswith("qdq: ")
    assert found["weights"]["matrices"][0]["errors"] == {QDQ: 0.3, BF16: 4.0}
    assert found["predictions"]["pairs"][0]["kl"]["n"] == 16
    assert len(found["predictions"]["pairs"][1]["kl_by_prompt"]) == PROMPTS
    assert found["predictions"]["excess_of_bf16"]["p"] == pytest.approx(2 / 2**PROMPTS)
    assert found["tasks"]["tables"][0]["rows"][0]["model"] == BF16
    assert found["notes"] == ["a note on weights"]
    nothing = effect_json(effect(weights=Weights((), ("DoRA",))))
    assert nothing["weights"]["all"] is None
    assert nothing["tasks"] is None


def texts(svg: str) -> set[str]:
    names = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return {"".join(element.itertext()).strip() for element in names}


def test_the_picture() -> None:
    svg = chart(WEIGHTS, predictions())
    assert {"bf16", "qdq", "layer", "prompts, by the KL of qdq"} <= texts(svg)
    assert chart(WEIGHTS, predictions()) == svg
    without = chart(Weights(()), predictions(qdq=0.0, bf16=0.0))  # nothing that has a logarithm
    assert "layer" not in texts(without)
