"""Suites: our own, FastChat's files over it with all 800 stored prompts to the byte, and what does not fit together."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from s2eval.errors import ConfigError, DataError, UnknownNameError
from s2eval.judge.suite import definition as suites
from s2eval.judge.suite.definition import FASTCHAT_TEMPERATURES, Suite
from s2eval.judge.suite.questions import read_answers
from s2eval.judge.suite.render import render_single

SINGLE, SINGLE_2 = "{question}|{answer}", "{question_1}|{answer_1}|{question_2}|{answer_2}"
PAIR, PAIR_2 = "{question}|{answer_a}|{answer_b}", "{question_1}|{answer_a_1}|{answer_b_1}|{question_2}|{answer_a_2}|"
TEXTS = {
    "single-first": SINGLE + "|{expects}|{reading_age}",
    "single-first-reference": SINGLE + "|{ref_answer_1}",
    "single-second": SINGLE_2,
    "single-second-reference": SINGLE_2 + "|{ref_answer_1}|{ref_answer_2}",
    "pair-first": PAIR,
    "pair-first-reference": PAIR + "|{ref_answer_1}",
    "pair-second": PAIR_2 + "{answer_b_2}",
    "pair-second-reference": PAIR_2 + "{answer_b_2}|{ref_answer_1}|{ref_answer_2}",
    "system": "Be fair.",
    "constant": "I do not know.",
}
KEYS = ("first", "first_reference", "second", "second_reference")
CONFIG: dict[str, Any] = {
    "name": "house",
    "version": 3,
    "questions": "questions.jsonl",
    "references": "references.jsonl",
    "categories": {"facts": 0.1, "stories": 0.7},
    "max_tokens": 512,
    "judge": {"temperature": 0.0, "max_tokens": 256},
    "prompts": {
        "system": "system.md",
        "single": {key: f"single-{key.replace('_', '-')}.md" for key in KEYS},
        "pairwise": {key: f"pair-{key.replace('_', '-')}.md" for key in KEYS},
    },
    "baselines": {"constant": "constant.md"},
}
MORE = {"reading_age": 10, "expects": ["a", "b"]}
QUESTIONS: list[dict[str, Any]] = [
    {"question_id": 1, "category": "facts", "turns": ["Q1", "Q2"], **MORE},
    {"question_id": 2, "category": "stories", "turns": ["Q3", "Q4"], **MORE},
    {"question_id": 3, "category": "facts", "turns": ["Q5", "Q6"], "required_temperature": 0.4, **MORE},
]
REFERENCES = [{"question_id": 1, "model_id": "us", "choices": [{"index": 0, "turns": ["R1", "R2"]}]}]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def folder(out: Path, rows: list[dict[str, Any]] = QUESTIONS, **changed: Any) -> Path:
    """A judge's folder; `changed` are keys of its judge.yaml, None for keys that it lacks."""
    lines(out / "questions.jsonl", rows)
    lines(out / "references.jsonl", REFERENCES)
    for name, text in TEXTS.items():
        (out / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    config = {key: value for key, value in {**CONFIG, **changed}.items() if value is not None}
    (out / "judge.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return out


@pytest.fixture
def house(tmp_path: Path) -> Suite:
    return suites.load(folder(tmp_path))


# --- a folder --------------------------------------------------------------------------------------------------


def test_a_folder_is_read(house: Suite) -> None:
    assert (house.name, house.version, house.prompts.name) == ("house", 3, "house")
    assert (house.max_tokens, house.judge_temperature, house.judge_max_tokens) == (512, 0.0, 256)
    assert house.baselines == {"constant": "I do not know."}
    assert [question.id for question in house.questions] == [1, 2, 3]
    assert [question.reference for question in house.questions] == [("R1", "R2"), None, None]


def test_a_model_answers_at_the_categorys_temperature_or_the_questions_own(house: Suite) -> None:
    assert [house.temperature(question) for question in house.questions] == [0.1, 0.7, 0.4]


def test_every_question_with_a_reference_is_judged_with_it(house: Suite) -> None:
    assert [house.uses_reference(question) for question in house.questions] == [True, False, False]
    first, second, _ = house.questions
    assert house.prompt("single", 1, first).name == "single-first-reference"
    assert house.prompt("single", 2, second).name == "single-second"
    assert house.prompt("pairwise", 2, first).name == "pair-second-reference"


def test_the_hash_is_that_of_all_that_verdicts_depend_on(house: Suite) -> None:
    assert replace(house, name="x", version=4, baselines={}).hash == house.hash
    changed = [
        replace(house, questions=house.questions[::-1]),
        replace(house, questions=(replace(house.questions[0], reference=None), *house.questions[1:])),
        replace(house, prompts=replace(house.prompts, prompts=house.prompts.prompts[1:])),
        replace(house, temperatures={"facts": 0.0, "stories": 0.7}),
        replace(house, max_tokens=513),
        replace(house, judge_temperature=1.0),
        replace(house, judge_max_tokens=257),
    ]
    assert len({house.hash, *(other.hash for other in changed)}) == 8


def test_what_may_be_left_out_has_defaults(tmp_path: Path) -> None:
    bare = {"references": None, "max_tokens": None, "judge": None, "baselines": None}
    prompts = {"single": {"first": "single-first.md", "second": "single-second.md"}}
    suite = suites.load(str(folder(tmp_path, prompts=prompts, **bare)))
    assert (suite.max_tokens, suite.judge_temperature, suite.judge_max_tokens) == (1024, 0.0, 2048)
    assert suite.baselines == {}
    assert suite.prompts.kinds == {"single"}
    assert not any(map(suite.uses_reference, suite.questions))
    assert {prompt.system for prompt in suite.prompts.prompts} == {""}


def test_all_errors_of_judge_yaml_are_told(tmp_path: Path) -> None:
    changed = {
        "name": "../x",
        "version": 0,
        "question": "x",
        "questions": None,
        "categories": {"facts": 3},
        "judge": {"temprature": 0.0, "max_tokens": "many"},
        "prompts": {"single": {"first": "a", "second": "b", "second_referenz": "c"}, "pairs": {}},
    }
    with pytest.raises(ConfigError) as error:
        suites.load(folder(tmp_path, **changed))
    assert error.value.where == str(tmp_path / "judge.yaml")
    told = dict(problem.split(": ", 1) for problem in error.value.problems)
    assert told["questions"] == "missing"
    assert told["question"] == "unknown key; did you mean 'questions'?"
    assert told["judge.temprature"] == "unknown key; did you mean 'temperature'?"
    assert told["prompts.single.second_referenz"] == "unknown key; did you mean 'second_reference'?"
    assert told["prompts.pairs"] == "unknown key; did you mean 'pairwise'?"
    assert {"name", "version", "categories.facts", "judge.max_tokens"} <= set(told)
    assert len(told) == 9


@pytest.mark.parametrize(
    ("content", "problem"), [("a: [", "not YAML"), ("- a", "expected keys"), ("day: 2024-99-99", "not YAML")]
)
def test_a_judge_yaml_that_is_none_is_told(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "judge.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        suites.load(tmp_path)


def test_a_folder_without_judge_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"judge\.yaml: 1 error\n  No such file"):
        suites.load(tmp_path)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown judge 'mtsbnch'; did you mean 'mtsbench'\? See: s2eval ls"):
        suites.load("mtsbnch")


def test_an_unknown_category_is_told_with_line_and_field(tmp_path: Path) -> None:
    slip = {**QUESTIONS[0], "question_id": 4, "category": "fcats"}
    with pytest.raises(
        DataError, match=r"questions\.jsonl: 1 error\n  line 4: category: unknown 'fcats'; did you mean"
    ):
        suites.load(folder(tmp_path, [*QUESTIONS, slip]))


def test_what_a_prompt_asks_for_every_question_must_have(tmp_path: Path) -> None:
    bare = {"question_id": 4, "category": "facts", "turns": ["Q7", "Q8"]}
    with pytest.raises(DataError) as error:
        suites.load(folder(tmp_path, [*QUESTIONS, bare]))
    assert str(error.value).split("\n  ") == [
        f"{tmp_path}: 2 errors",
        "judge prompt 'single-first' asks for {expects}, which 1 of the questions lack: 4; "
        "give them it, or --judge-prompts that do not ask for it",
        "judge prompt 'single-first' asks for {reading_age}, which 1 of the questions lack: 4; "
        "give them it, or --judge-prompts that do not ask for it",
    ]


def test_a_reference_without_a_prompt_for_it_is_told(tmp_path: Path) -> None:
    prompts = {"single": {"first": "single-first.md", "second": "single-second.md"}}
    with pytest.raises(DataError, match="no judge prompt for single, turn 1, with a reference"):
        suites.load(folder(tmp_path, prompts=prompts))


# --- FastChat's files ------------------------------------------------------------------------------------------


@pytest.fixture
def mtbench(house: Suite, shared_data: Path) -> Suite:
    """MT-bench itself: FastChat's questions, prompts and references."""
    data = shared_data / "mtbench"
    return house.with_files(
        data / "question.jsonl", data / "judge_prompts.jsonl", data / "reference_answer" / "gpt-4.jsonl"
    )


def test_fastchats_files_make_mt_bench(mtbench: Suite) -> None:
    assert (mtbench.name, mtbench.version, mtbench.prompts.name) == ("mtbench", None, "fastchat")
    assert Counter(question.category for question in mtbench.questions) == {
        name: 10 for name in FASTCHAT_TEMPERATURES if name != "arena-hard-200"
    }
    at = {question.category: mtbench.temperature(question) for question in mtbench.questions}
    assert {name for name, temperature in at.items() if temperature == 0.7} == {"writing", "roleplay"}
    assert {name for name, temperature in at.items() if temperature == 0.1} == {"stem", "humanities"}
    assert {name for name, temperature in at.items() if temperature == 0.0} == {
        "extraction",
        "math",
        "coding",
        "reasoning",
    }
    used = {question.category for question in mtbench.questions if mtbench.uses_reference(question)}
    assert used == {"math", "reasoning", "coding"}


def test_all_800_stored_prompts_are_rendered_to_the_byte(mtbench: Suite, shared_data: Path) -> None:
    data = shared_data / "mtbench"
    asked = {question.id: question for question in mtbench.questions}
    answers = {
        (path.stem, answer.question_id): answer
        for path in (data / "model_answer").glob("*.jsonl")
        for answer in read_answers(path, mtbench.questions, path.stem)
    }
    seen: Counter[str] = Counter()
    for line in (data / "model_judgment" / "gpt-4_single.jsonl").read_text(encoding="utf-8").split("\n")[:-1]:
        stored = json.loads(line)
        question = asked[stored["question_id"]]
        turn: Literal[1, 2] = stored["turn"]
        prompt = mtbench.prompt("single", turn, question)
        assert ["gpt-4", prompt.name] == stored["judge"]
        system, user = render_single(prompt, question, answers[stored["model"], question.id])
        assert user.content == stored["user_prompt"]
        assert (system.role, user.role) == ("system", "user")
        seen[prompt.name] += 1
    assert seen == {  # five models × 50 questions, and × 30 with a reference
        "single-v1": 250,
        "single-math-v1": 150,
        "single-v1-multi-turn": 250,
        "single-math-v1-multi-turn": 150,
    }


def test_mt_bench_without_its_references_is_told(house: Suite, shared_data: Path) -> None:
    data = shared_data / "mtbench"
    with pytest.raises(DataError) as error:
        house.with_files(data / "question.jsonl", data / "judge_prompts.jsonl")
    assert str(error.value) == (
        f"{data / 'question.jsonl'}: 1 error\n  fastchat's prompts judge arena-hard-200, coding, math, reasoning with "
        "a reference, which 4 of the questions lack: 103, 108, 110, 123; give --references"
    )


def test_mt_bench_with_prompts_that_ask_for_more_is_told(house: Suite, shared_data: Path) -> None:
    data = shared_data / "mtbench"
    with pytest.raises(DataError, match=r"asks for \{expects\}, which 49 of the questions lack: 81, .*--judge-prompts"):
        house.with_files(data / "question.jsonl")  # 80 less the 31 with references, whose prompt does not ask


def test_fastchats_prompts_use_no_reference_of_other_categories(house: Suite, shared_data: Path) -> None:
    suite = house.with_files(prompts=shared_data / "mtbench" / "judge_prompts.jsonl")
    assert (suite.name, suite.version) == ("house", None)
    assert suite.questions == house.questions
    assert suite.prompt("single", 1, suite.questions[0]).name == "single-v1"
    assert suite.hash != house.hash


def test_a_question_s_own_temperature_beats_fastchats(mtbench: Suite, tmp_path: Path) -> None:
    row = {"question_id": 1, "category": "writing", "turns": ["Q"], "required_temperature": 0.2}
    suite = mtbench.with_files(
        lines(tmp_path / "mine.jsonl", [row, {**row, "question_id": 2, "required_temperature": 0}])
    )
    assert [suite.temperature(question) for question in suite.questions] == [0.2, 0.0]


def test_questions_of_its_own_categories_replace_a_suites(house: Suite, tmp_path: Path) -> None:
    suite = house.with_files(questions=lines(tmp_path / "mine.jsonl", QUESTIONS[1:]))
    assert (suite.name, suite.version) == ("mine", None)
    assert suite.temperatures == {"facts": 0.1, "stories": 0.7}
    mixed = house.with_files(
        questions=lines(
            tmp_path / "mix.jsonl", [*QUESTIONS, {**QUESTIONS[0], "question_id": 4, "category": "roleplay"}]
        )
    )
    assert (mixed.name, mixed.temperature(mixed.questions[3])) == ("mix", 0.7)
    with pytest.raises(DataError, match="line 1: category: unknown 'rolplay'; did you mean 'roleplay'"):
        house.with_files(questions=lines(tmp_path / "slip.jsonl", [{**QUESTIONS[0], "category": "rolplay"}]))


def test_references_replace_all_that_there_were(house: Suite, tmp_path: Path) -> None:
    path = lines(tmp_path / "mine.jsonl", [{**REFERENCES[0], "question_id": 2}])
    assert [question.reference for question in house.with_files(references=path).questions] == [
        None,
        ("R1", "R2"),
        None,
    ]


def test_without_files_nothing_changes(house: Suite) -> None:
    assert house.with_files() is house


# --- our own ---------------------------------------------------------------------------------------------------


def test_what_ships_can_be_loaded_by_name() -> None:
    assert "mtsbench" in suites.names()
    for name in suites.names():
        assert suites.load(name).name == name


def test_mtsbench_is_six_categories_of_ten_questions_of_two_turns() -> None:
    suite = suites.load("mtsbench")
    assert Counter(question.category for question in suite.questions) == {
        "explaining": 10,
        "how-things-work": 10,
        "history-and-society": 10,
        "everyday-advice": 10,
        "writing-and-role-play": 10,
        "safety": 10,
    }
    assert set(suite.temperatures) == {question.category for question in suite.questions}
    assert {len(question.turns) for question in suite.questions} == {2}
    assert all(question.reading_age for question in suite.questions)
    assert {len(question.expects) for question in suite.questions} == {2}
    assert len({turn for question in suite.questions for turn in question.turns}) == 120
    assert 0 < sum(map(suite.uses_reference, suite.questions)) < 60


def test_mtsbench_judges_singly_and_in_pairs_and_ships_baselines() -> None:
    suite = suites.load("mtsbench")
    assert len(suite.prompts.prompts) == 8  # 2 kinds × 2 turns × with and without a reference
    assert set(suite.baselines) == {"constant", "begging"}
    assert "[[10]]" in suite.baselines["begging"]
    for prompt in suite.prompts.prompts:
        assert prompt.placeholders & {"expects", "reading_age"} == {"expects", "reading_age"}
        assert ("Rating: [[5]]" if prompt.kind == "single" else "[[A]]") in prompt.template
