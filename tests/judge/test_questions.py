"""Question, reference and answer files: read in FastChat's form, and told apart when broken: file, line, field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.errors import DataError
from s2eval.judge.suite.questions import Answer, Question, read_answers, read_questions, read_references

CATEGORIES = ["explaining", "everyday-advice"]
FULL = {
    "question_id": 1,
    "category": "explaining",
    "turns": ["Why is the sky blue?", "And at night?"],
    "reading_age": 10,
    "expects": ["That air scatters blue light.", "That there is no sunlight."],
}
FASTCHAT = {"question_id": "b-2", "category": "math", "turns": ["1 + 1?", "Times 2?"], "reference": ["2", "4"]}
QUESTIONS = [
    Question(1, "explaining", ("Why is the sky blue?", "And at night?")),
    Question("b-2", "math", ("1 + 1?", "Times 2?")),
]


def write(folder: Path, *lines: dict[str, Any] | str | bytes) -> Path:
    """`lines` as `folder/file.jsonl`; a dict as JSON, text and bytes as they are."""
    encoded = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    path = folder / "file.jsonl"
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in encoded) + b"\n")
    return path


def answer(question_id: int | str, *choices: list[str], model: str = "m", **more: Any) -> dict[str, Any]:
    """A line of an answer file."""
    numbered = [{"index": index, "turns": turns} for index, turns in enumerate(choices)]
    return {"question_id": question_id, "answer_id": "x", "model_id": model, "choices": numbered, "tstamp": 1.5} | more


def problems(error: pytest.ExceptionInfo[DataError], path: Path) -> list[str]:
    """The lines of the message after its head, which must name the file and count them."""
    head, *lines = str(error.value).split("\n  ")
    noun = "error" if len(lines) == 1 else "errors"
    assert head == f"{path}: {len(lines)} {noun}"
    return lines


# --- questions -------------------------------------------------------------------------------------------------


def test_a_question_is_read_with_all_its_fields(tmp_path: Path) -> None:
    path = write(tmp_path, FULL, "", FASTCHAT | {"required_temperature": 1, "unknown": {"fields": "pass"}})
    first, second = read_questions(path)
    assert first == Question(
        id=1,
        category="explaining",
        turns=("Why is the sky blue?", "And at night?"),
        reading_age=10,
        expects=("That air scatters blue light.", "That there is no sunlight."),
    )
    assert second == Question("b-2", "math", ("1 + 1?", "Times 2?"), temperature=1.0, reference=("2", "4"))


def test_a_question_of_one_turn_is_one(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path, {"question_id": 1, "category": "arena-hard-200", "turns": ["Hi?"]}))
    assert question.turns == ("Hi?",)


@pytest.mark.parametrize("reference", [["2", ""], ["", "4"], ["2"], ["2", None], [], None])
def test_a_reference_for_some_turns_only_is_none(tmp_path: Path, reference: Any) -> None:
    # FastChat's question.jsonl has such: 103, 108, 110, 131, 133, 142, 143, 144
    (question,) = read_questions(write(tmp_path, FASTCHAT | {"reference": reference}))
    assert question.reference is None


def test_text_of_any_script_and_line_separators_inside_of_it_stay(tmp_path: Path) -> None:
    # U+2028 ends a line to str.splitlines, but not in JSON Lines
    text = " Ärger\u2028über 水\t\x00\r\n\U0001f600 {question} [[10]] "
    line = json.dumps(FULL | {"turns": [text, text]}, ensure_ascii=False)
    (question,) = read_questions(write(tmp_path, line + "\r"))
    assert question.turns == (text, text)


BROKEN = {
    "no JSON": ('{"question_id": 3, ', "not JSON (", "column 20"),
    "no UTF-8": (b'{"question_id": "\xff"}', "not UTF-8 text (", "0xff"),
    "brackets without end": ("[" * 100_000, "not JSON ("),
    "no object": ("[1, 2]", "valid dictionary"),
    "a field is missing": ({"question_id": 3, "category": "explaining"}, "turns: Field required"),
    "two fields at once": ({"question_id": 3, "turns": "x"}, "category: Field required; turns: ", "list"),
    "no turns": (FULL | {"question_id": 3, "turns": []}, "turns: ", "at least 1"),
    "three turns": (FULL | {"question_id": 3, "turns": ["a", "b", "c"]}, "turns: ", "at most 2"),
    "an empty turn": (FULL | {"question_id": 3, "turns": ["Why?", " \n"]}, "turns.1: is empty"),
    "a turn that is a number": (FULL | {"question_id": 3, "turns": ["Why?", 7]}, "turns.1: ", "string"),
    "half a character": (
        '{"question_id": 3, "category": "explaining", "turns": ["\\ud800"]}',
        "turns.0: half a character at 0",
    ),
    "half a character in an id": (
        '{"question_id": "a\\udc00", "category": "x", "turns": ["a"]}',
        "question_id: half a",
    ),
    "an id that is a truth": (FULL | {"question_id": True}, "question_id: must be a number or a text"),
    "an id that is a fraction": (FULL | {"question_id": 1.5}, "question_id: must be a number or a text"),
    "an id without text": (FULL | {"question_id": ""}, "question_id: must be a number or a text"),
    "an age that is a text": (FULL | {"question_id": 3, "reading_age": "10"}, "reading_age: ", "integer"),
    "an age of nobody": (FULL | {"question_id": 3, "reading_age": 0}, "reading_age: ", "greater than 0"),
    "too few expectations": (FULL | {"question_id": 3, "expects": ["a"]}, "expects: 1, but turns: 2"),
    "a temperature that is none": (FULL | {"question_id": 3, "required_temperature": -1}, "required_temperature: "),
    "no number": (
        '{"question_id": 3, "category": "explaining", "turns": ["a"], "required_temperature": NaN}',
        "finite",
    ),
    "a repeated id": (FULL, "question_id: 1 is that of line 1 too"),
    "a category with a slip": (
        FULL | {"question_id": 3, "category": "everyday-advise"},
        "category: unknown 'everyday-advise'; did you mean 'everyday-advice'?",
    ),
    "a category from elsewhere": (
        FULL | {"question_id": 3, "category": "Zzz"},
        "category: unknown 'Zzz'; known: explaining, everyday-advice",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_question_is_told_with_file_line_and_field(tmp_path: Path, name: str) -> None:
    line, *parts = BROKEN[name]
    path = write(tmp_path, FULL, "", line)
    with pytest.raises(DataError) as error:
        read_questions(path, CATEGORIES)
    (problem,) = problems(error, path)
    assert problem.startswith("line 3: ")  # the empty one counts
    for part in parts:
        assert part in problem


def test_without_a_list_of_categories_any_will_do(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path, FULL | {"category": "cooking"}))
    assert question.category == "cooking"


def test_all_that_is_wrong_is_told_in_the_order_of_the_lines(tmp_path: Path) -> None:
    path = write(tmp_path, FULL, FULL, "{", FULL | {"question_id": 4, "category": "x"}, FULL | {"turns": []})
    with pytest.raises(DataError) as error:
        read_questions(path, CATEGORIES)
    lines = problems(error, path)
    assert [line.split(": ")[0] for line in lines] == ["line 2", "line 3", "line 4", "line 5"]


def test_of_many_problems_ten_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    path = write(tmp_path, *["{"] * 13)
    with pytest.raises(DataError) as error:
        read_questions(path)
    head, *lines = str(error.value).split("\n  ")
    assert head == f"{path}: 13 errors"
    assert [line.split(": ")[0] for line in lines[:-1]] == [f"line {number}" for number in range(1, 11)]
    assert lines[-1] == "and 3 more"  # 13 - 10


def test_a_file_that_is_not_there_or_has_no_lines_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl: cannot be read \(No such file"):
        read_questions(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match=r"file\.jsonl: no lines"):
        read_questions(write(tmp_path, "", "  "))


def test_fastchats_questions_are_read(shared_data: Path) -> None:
    questions = read_questions(shared_data / "mtbench" / "question.jsonl")
    assert [question.id for question in questions] == list(range(81, 161))
    assert len({question.category for question in questions}) == 8
    assert {len(question.turns) for question in questions} == {2}
    # 39 have a `reference`, eight of these for one turn only
    whole = {question.id for question in questions if question.reference}
    assert len(whole) == 31
    assert whole.isdisjoint({103, 108, 110, 131, 133, 142, 143, 144})


# --- references ------------------------------------------------------------------------------------------------


def test_a_reference_is_the_first_choice(tmp_path: Path) -> None:
    path = write(tmp_path, answer("b-2", ["2", "4"], ["two", "four"]))
    assert read_references(path, QUESTIONS) == {"b-2": ("2", "4")}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (answer(2, ["a", "b"]), "line 1: question_id: no question 2 among 1, b-2"),
        (answer("1", ["a", "b"]), "line 1: question_id: no question '1' among 1, b-2"),
        (answer(1, ["a", ""]), "line 1: choices.0.turns.1: is empty"),
        (answer(1, ["a"]), "line 1: choices.0.turns: 1, but the question has 2"),
        (answer(1), "line 1: choices: List should have at least 1 item after validation, not 0"),
        ({"question_id": 1, "model_id": "m"}, "line 1: choices: Field required"),
    ],
)
def test_a_broken_reference_is_told(tmp_path: Path, line: dict[str, Any], problem: str) -> None:
    path = write(tmp_path, line)
    with pytest.raises(DataError) as error:
        read_references(path, QUESTIONS)
    assert problems(error, path) == [problem]


def test_fastchats_references_are_read(shared_data: Path) -> None:
    mtbench = shared_data / "mtbench"
    questions = read_questions(mtbench / "question.jsonl")
    references = read_references(mtbench / "reference_answer" / "gpt-4.jsonl", questions)
    assert list(references) == list(range(101, 131))  # reasoning, math, coding: ten each
    assert references[113][0].startswith("To find the probability that a student likes neither blue nor green")


# --- answers ---------------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_questions_with_all_their_choices(tmp_path: Path) -> None:
    path = write(tmp_path, answer("b-2", ["2", "4"], ["3", ""]), answer(1, ["a", "b"], ["c", "d"]))
    assert read_answers(path, QUESTIONS) == [
        Answer(1, "m", 0, ("a", "b")),
        Answer(1, "m", 1, ("c", "d")),
        Answer("b-2", "m", 0, ("2", "4")),
        Answer("b-2", "m", 1, ("3", "")),  # a model may say nothing
    ]


def test_the_models_name_is_the_files_unless_given(tmp_path: Path) -> None:
    path = write(tmp_path, answer(1, ["a", "b"], model="file"))
    assert {found.model for found in read_answers(path, QUESTIONS[:1])} == {"file"}
    assert {found.model for found in read_answers(path, QUESTIONS[:1], "given")} == {"given"}


GOOD = answer("b-2", ["2", "4"])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([GOOD], ["1 of 2 questions are not answered: 1"]),
        ([GOOD, answer(1, ["a"])], ["line 2: choices.0.turns: 1, but the question has 2"]),
        ([GOOD, answer(1, ["a", "b"]), GOOD], ["line 3: question_id: 'b-2' is that of line 1 too"]),
        ([GOOD, answer(1, ["a", "b"], ["c", "d"])], ["line 2: choices: 2, but 1 in line 1"]),
        (
            [GOOD, answer(1, ["a", "b"], model="other")],
            ["line 2: model_id: 'other', but 'm' in line 1: one model a file"],
        ),
        (
            [answer(1, [], choices=[{"index": 1, "turns": ["a", "b"]}]), GOOD],
            ["line 1: choices.0.index: 1, expected 0"],
        ),
        # the broken line may be the missing answer: it is not told a second time
        ([GOOD, "{"], ["line 2: not JSON (Expecting property name enclosed in double quotes, column 2)"]),
        ([GOOD, answer(1, ["a", "b\ud83d"])], ["line 2: choices.0.turns.1: half a character at 1"]),
        (
            [GOOD, answer(1, ["a", "$ERROR$"])],
            ["line 2: choices.0.turns.1: $ERROR$ (a failed call); answer the question again"],
        ),
        ([GOOD, answer(1, ["a", 7])], ["line 2: choices.0.turns.1: Input should be a valid string"]),
    ],
)
def test_a_broken_answer_file_is_told(tmp_path: Path, lines: list[Any], expected: list[str]) -> None:
    path = write(tmp_path, *lines)
    with pytest.raises(DataError) as error:
        read_answers(path, QUESTIONS)
    assert problems(error, path) == expected


def test_answers_to_other_questions_are_an_error(shared_data: Path) -> None:
    questions = [Question(number, "explaining", ("a", "b")) for number in range(1, 61)]
    path = shared_data / "mtbench" / "model_answer" / "llama2_7b.jsonl"
    with pytest.raises(DataError) as error:
        read_answers(path, questions)
    head, first, *_, last = str(error.value).split("\n  ")
    assert head == f"{path}: 80 errors"
    assert first == "line 1: question_id: no question 81 among 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …"
    assert last == "and 70 more"  # 80 - 10


def test_missing_answers_are_counted_and_the_first_named(tmp_path: Path) -> None:
    questions = [Question(number, "explaining", ("a",)) for number in range(1, 61)]
    path = write(tmp_path, *(answer(number, ["x"]) for number in range(41, 61)))
    with pytest.raises(DataError) as error:
        read_answers(path, questions)
    assert problems(error, path) == ["40 of 60 questions are not answered: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …"]


def test_fastchats_answers_are_read(shared_data: Path) -> None:
    mtbench = shared_data / "mtbench"
    questions = read_questions(mtbench / "question.jsonl")
    files = sorted((mtbench / "model_answer").glob("*.jsonl"))
    assert len(files) == 7
    for path in files:
        answers = read_answers(path, questions, path.stem)
        assert [(found.question_id, found.model, found.choice) for found in answers] == [
            (number, path.stem, 0) for number in range(81, 161)
        ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(), min_size=2, max_size=2))
def test_any_answer_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, turns: list[str]) -> None:
    path = write(tmp_path_factory.getbasetemp(), answer(1, turns))
    assert read_answers(path, QUESTIONS[:1])[0].turns == tuple(turns)


def test_reasoning_in_the_turns_is_split_off(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        answer(1, ["<think>Air?</think>It scatters.", "[THINK]Night?[/THINK]No sun."]),
        answer("b-2", ["<think>1 + 1", "Write `<think>` and `</think>`."]),
    )
    assert read_answers(path, QUESTIONS) == [
        Answer(1, "m", 0, ("It scatters.", "No sun."), ("Air?", "Night?")),
        Answer("b-2", "m", 0, ("", "Write `<think>` and `</think>`."), ("1 + 1", ""), cut=(1,)),
    ]


def test_a_reference_is_without_its_reasoning(tmp_path: Path) -> None:
    path = write(tmp_path, answer(1, ["<think>Air?</think>It scatters.", "No sun."]))
    assert read_references(path, QUESTIONS) == {1: ("It scatters.", "No sun.")}
    path = write(tmp_path, answer(1, ["<think>Air?", "No sun."]))
    with pytest.raises(DataError, match=r"choices\.0\.turns\.0: is empty"):
        read_references(path, QUESTIONS)
