"""Agreement of a judge with gold choices: on LLMBar's stored verdicts, and on pairs that one can count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2eval.errors import DataError
from s2eval.judge.scores.agreement import Verdicts, agreement, agreements, read_verdicts, table
from s2eval.stats import proportion


def pairs(*rows: tuple[str, str | None, str | None], judge: str = "j", subset: str = "") -> list[Verdicts]:
    return [Verdicts(f"{subset}{n}", *row, judge, subset) for n, row in enumerate(rows)]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


PLAIN = {"id": "a", "gold": "1", "given": "2", "swapped": None, "judge": "gpt-4"}
LLMBAR = {
    "id": "Natural-84",
    "subset": "Natural",
    "label": 2,
    "gpt4_vanilla": {"results": [{"swap = False": {"winner": "2"}, "swap = True": {"winner": "1"}}]},
}


# -- the real file


@pytest.fixture(scope="module")
def llmbar(shared_data: Path) -> list[Verdicts]:
    return read_verdicts(shared_data / "preferences" / "llmbar.jsonl")


def test_llmbar(llmbar: list[Verdicts]):
    # (label, winner in the order given, winner swapped) → pairs, counted in the file with another program:
    # 1,1,1: 88   2,2,2: 69   1,2,2: 13   2,1,1: 11   2,1,2: 11   1,2,1: 5   1,1,2: 2   2,2,1: 1
    found = agreement(llmbar)
    assert (found.judge, found.subset, found.n) == ("gpt4_vanilla", "", 200)
    assert found.given.agreement == proportion(160, 200)  # 88 + 69 + 2 + 1
    assert found.swapped.agreement == proportion(173, 200)  # 88 + 69 + 11 + 5
    assert found.combined.agreement == proportion(157, 200)  # 88 + 69
    assert found.combined.without_ties.value == 157 / 181  # 19 of the pairs change with the order
    assert (found.combined.without_ties.n, found.combined.without_ties.n_valid) == (200, 181)
    assert found.consistency == proportion(181, 200)
    assert found.position[0] == proportion(112, 200)  # output 1: 88 + 11 + 11 + 2
    assert found.position[1] == proportion(95, 200)  # output 2: 69 + 13 + 11 + 2
    assert found.bias == pytest.approx((0.56 + 0.475) / 2 - 0.5)
    # Gold says output 1 in 108 of 200, the judge in 112: p_e = .54 · .56 + .46 · .44 = .5048, p_o = .8
    assert found.given.kappa.value == pytest.approx((0.8 - 0.5048) / (1 - 0.5048))
    # With ties, as which 19 count: the judge says 1 in 99 and 2 in 82; p_e = .54 · .495 + .46 · .41 = .4559
    assert found.combined.kappa.value == pytest.approx((0.785 - 0.4559) / (1 - 0.4559))


def test_llmbars_winners_are_outputs_not_places(shared_data: Path, llmbar: list[Verdicts]):
    lines = (shared_data / "preferences" / "llmbar.jsonl").read_text(encoding="utf-8").splitlines()
    for line, one in zip(lines, llmbar, strict=True):
        (orders,) = json.loads(line)["gpt4_vanilla"]["results"]
        said = {swap: orders[f"swap = {swap}"]["completion"][0] for swap in (False, True)}
        assert one.given == {"Output (a)": "1", "Output (b)": "2"}[said[False]]
        assert one.swapped == {"Output (a)": "2", "Output (b)": "1"}[said[True]]


def test_llmbars_parts_add_up(llmbar: list[Verdicts]):
    whole, *parts = agreements(llmbar)
    assert {part.subset: part.n for part in parts} == {
        "Adversarial/Neighbor": 67,
        "Natural": 45,
        "Adversarial/GPTInst": 38,
        "Adversarial/Manual": 28,
        "Adversarial/GPTOut": 22,
    }
    right = sum(part.given.agreement.value * part.n for part in parts)
    assert right == pytest.approx(whole.given.agreement.value * 200)


# -- the arithmetic


def test_orders_that_disagree_are_a_tie():
    found = agreement(pairs(("1", "1", "2"), ("2", "2", "2"), ("tie", "1", "2"), ("tie", "tie", "tie")))
    assert found.given.agreement == proportion(3, 4)  # 1, 2, 1, tie: all but the third
    assert found.swapped.agreement == proportion(2, 4)  # 2, 2, 2, tie: the second and the last
    assert found.combined.agreement == proportion(3, 4)  # tie, 2, tie, tie: all but the first
    assert found.combined.without_ties.value == 1  # one pair where neither says tie
    assert found.combined.without_ties.n_valid == 1
    assert found.consistency == proportion(2, 4)


def test_a_judge_that_always_takes_the_first():
    found = agreement(pairs(*[("1", "1", "2")] * 3, *[("2", "1", "2")] * 3))
    assert [share.value for share in found.position] == [1, 1]
    assert found.bias == 0.5
    assert found.given.agreement.value == found.swapped.agreement.value == 0.5
    assert found.combined.agreement.value == 0  # all ties, and gold has none
    assert found.combined.without_ties.value is None
    assert found.given.kappa.value == 0  # it never says 2: agrees as often as chance does
    assert found.orders.value == 0


def test_an_unbiased_judge():
    found = agreement(pairs(*[("1", "1", "1")] * 3, ("2", "2", "2")))
    assert [share.value for share in found.position] == [0.75, 0.25]  # output 1 is the better one in 3 of 4
    assert found.bias == 0


def test_a_verdict_that_could_not_be_read_counts_in_n_only():
    found = agreement(pairs(("1", "1", None), ("1", "1", "1"), ("2", None, None)))
    for estimate, successes, valid in [
        (found.given.agreement, 2, 2),
        (found.swapped.agreement, 1, 1),
        (found.combined.agreement, 1, 1),
        (found.consistency, 1, 1),
    ]:
        assert (estimate.value, estimate.n_valid, estimate.n) == (successes / valid, valid, 3)
    assert found.given.kappa.n == 3


def test_one_judge_at_a_time():
    two = pairs(("1", "1", "1")) + pairs(("1", "2", "2"), judge="k")
    with pytest.raises(ValueError, match="2 judges"):
        agreement(two)
    assert [(one.judge, one.n) for one in agreements(two)] == [("j", 1), ("k", 1)]


def test_table():
    some = pairs(("1", "1", "1"), subset="x") + pairs(("2", "1", "2"), subset="y")
    lines = table(agreements(some))
    assert len(lines) == 3 * 13  # all, x, y
    values = {line.measure: line.estimate for line in lines if line.subset == ""}
    assert values["agreement, output 1 first"] == proportion(1, 2)
    assert values["agreement, output 2 first"] == proportion(2, 2)
    assert values["agreement without ties, both"].value == 1
    assert values["chose the one shown first, output 2 first"] == proportion(1, 2)


# -- files


def test_both_forms(tmp_path: Path):
    path = write(tmp_path / "v.jsonl", PLAIN, LLMBAR)
    assert read_verdicts(path) == [
        Verdicts("a", "1", "2", None, "gpt-4"),
        Verdicts("Natural-84", "2", "2", "1", "gpt4_vanilla", "Natural"),
    ]
    assert read_verdicts(path)[1].source == f"{path}, line 2"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**PLAIN, "gold": "A"}, "gold: Input should be '1', '2' or 'tie'"),
        ({**PLAIN, "gold": None}, "gold: "),
        ({"id": "a", "gold": "1", "given": "1", "judge": "j"}, "swapped: Field required"),
        ({**LLMBAR, "label": 3}, "gold: "),
        ({**LLMBAR, "other": LLMBAR["gpt4_vanilla"]}, "one judge's verdicts"),
        ({**LLMBAR, "gpt4_vanilla": {"results": []}}, "gpt4_vanilla.results: expected a list with one entry"),
        ({**LLMBAR, "gpt4_vanilla": {"results": [{}]}}, "gpt4_vanilla.results.0.swap = False.winner: missing"),
        ("[]", "line 2"),
        ("nonsense", "not JSON"),
        (PLAIN, "id: 'a' is that of line 1 too"),
    ],
)
def test_what_is_wrong_with_a_line(tmp_path: Path, row: object, told: str):
    with pytest.raises(DataError) as error:
        read_verdicts(write(tmp_path / "v.jsonl", PLAIN, row))
    assert f"{tmp_path / 'v.jsonl'}: 1 error\n  line 2: " in str(error.value)
    assert told in str(error.value)
