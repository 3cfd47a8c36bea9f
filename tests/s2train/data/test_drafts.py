"""A set before its split: filters, near-duplicates, written questions; every pair is accounted for by one step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2eval.errors import DataError
from s2train.data import layout
from s2train.data.build import drafts
from s2train.data.build.candidates import pairs_of, read_eli5, read_wiki
from s2train.data.build.drafts import Draft, draft
from s2train.data.config import DataConfig
from s2train.data.engine import Engine, Local
from s2train.data.questions import written
from s2train.data.questions.written import Written
from s2train.data.records import Pair
from tests.s2train.data.folders import article, built, checked, lines, plain, post, side, words

NO_FILTERS: dict[str, Any] = {"filters": {"order": []}}


def config(**more: Any) -> DataConfig:
    return DataConfig.model_validate(NO_FILTERS | more)


def wiki(out: Path, *articles: Mapping[str, Any]) -> list[str]:
    """Read articles as candidates; their ids."""
    read_wiki([str(lines(out.with_suffix(".jsonl"), articles))], out, DataConfig(), Local())
    return [pair.id for pair in pairs_of(out, "wiki")]


def eli5(out: Path, *posts: Mapping[str, Any]) -> None:
    read_eli5([str(lines(out.with_suffix(".jsonl"), posts))], out, DataConfig(), Local())


def answered(number: int, answer: str, **more: Any) -> dict[str, Any]:
    return post(number, answers={"text": [answer], "score": [1]}, **more)


def dropped(one: Draft) -> dict[str, int]:
    """Pairs left out, by step, in the order of the steps."""
    return {step.name: step.dropped for step in one.steps}


def ids(one: Draft) -> list[str]:
    return [pair.id for pair in one.pairs()]


# --- written questions ---


def questions(**asked: str) -> dict[str, Written]:
    return {name: Written(id=name, question=text, model="m", prompt_hash="h") for name, text in asked.items()}


def test_written_questions_take_the_place_of_the_titles(tmp_path: Path) -> None:
    first, second, third = wiki(tmp_path / "out", *map(article, range(3)))
    asked = {third: "Who?", first: "Where is it?", "wiki-other": "Of an article that is not here?"}
    one = draft("wiki", tmp_path / "out", config(), Local(), questions(**asked))
    assert [pair.row() for pair in one.pairs()] == [
        {
            "id": name,
            "question": question,
            "answer": article(number)["text"],
            "source": "simplewiki",
            "title": article(number)["title"],
            "model": "m",
            "prompt_hash": "h",
        }
        for name, question, number in ((first, "Where is it?", 0), (third, "Who?", 2))
    ]
    assert one.questions == ("Where is it?", "Who?")
    assert list(dropped(one).items()) == [("near-duplicates", 0), ("questions", 1)]
    (example,) = one.steps[-1].examples
    assert (example.id, example.reason) == (second, drafts.NOT_WRITTEN)


def test_where_none_were_written_the_titles_ask(tmp_path: Path) -> None:
    wiki(tmp_path / "out", article(0, title="Oslo"))
    one = draft("wiki", tmp_path / "out", config(), Local())
    assert (one.questions, dropped(one)) == (("What is Oslo?",), {"near-duplicates": 0})
    nobody = draft("wiki", tmp_path / "out", config(), Local(), {})
    assert (nobody.questions, ids(nobody), dropped(nobody)) == ((), [], {"questions": 1, "near-duplicates": 0})


def test_written_questions_come_back_as_they_were_kept_and_go_into_the_set(tmp_path: Path) -> None:
    out = tmp_path / "out"
    names = wiki(out, *map(article, range(10)))
    assert written.read(out) is None
    asked = {name: f"Which {words(name, 4)}?" for name in names[:9]}
    extra = {"title": "T", "model": "m", "prompt_hash": "h"}
    written.write(out, (Pair(name, text, "A.", "simplewiki", extra) for name, text in asked.items()), {"calls": 9})
    assert written.read(out) == questions(**asked)
    built("wiki", "--out", out, "--config", plain(tmp_path))
    made = checked(out)["sets"]["wiki"]
    assert [drop["step"] for drop in made["funnel"]] == ["reading", "near-duplicates", "questions", "contamination"]
    assert [drop["dropped"] for drop in made["funnel"]] == [0, 0, 1, 0]
    everything = [*side(out, "wiki/train"), *side(out, "wiki/validation")]
    assert {row["id"]: row["question"] for row in everything} == asked
    assert {row["model"] for row in everything} == {"m"}
    eli5(tmp_path / "posts", post(1))
    built("eli5", "--input", tmp_path / "posts.jsonl", "--out", out)  # has questions of its own
    assert checked(out)["sets"]["eli5"]["files"]["train.jsonl"]["rows"] == 1


def test_a_line_of_written_questions_that_is_none(tmp_path: Path) -> None:
    path = layout.candidates(tmp_path, layout.QUESTIONS)
    path.parent.mkdir()
    lines(path, [{"id": "a", "question": "", "model": "m", "prompt_hash": "h"}])
    with pytest.raises(DataError, match=r"questions\.jsonl:1: field 'question'"):
        written.read(tmp_path)


# --- near-duplicates ---

LONG = words("long", 40)


@pytest.mark.parametrize(
    ("of", "left"),
    [
        ("answer", ["a", "c", "d"]),
        ("question", ["a", "b", "c"]),
        ("pair", ["a", "b", "c", "d"]),
        ("none", list("abcd")),
    ],
)
def test_of_near_duplicates_the_first_stays(tmp_path: Path, of: str, left: list[str]) -> None:
    """b has a's answer but for a word, and another question; d asks what a asks, and says something else."""
    asked, other = (f"Why {words(name, 12)}?" for name in ("asked", "other"))
    eli5(
        tmp_path / "out",
        answered(0, LONG, q_id="a", title=asked),
        answered(1, f"{LONG} more", q_id="b", title=other),
        answered(2, words("c", 40), q_id="c"),
        answered(3, words("d", 40), q_id="d", title=f"{asked} So?"),
    )
    one = draft("eli5", tmp_path / "out", config(near_duplicates={"of": of}), Local())
    assert ids(one) == [f"eli5-{name}" for name in left]
    assert [pair.question for pair in one.pairs()] == list(one.questions)
    if of == "none":
        assert dropped(one) == {}
    else:
        assert one.steps[-1].reasons == ({f"{of} like an earlier one's": 4 - len(left)} if len(left) < 4 else {})


def test_a_pair_that_a_filter_dropped_stands_in_nobodys_way(tmp_path: Path) -> None:
    """Filters come first: of two with one answer the second stays where the first has no question to speak of."""
    eli5(tmp_path / "out", answered(0, LONG, title="So?"), answered(1, LONG), answered(2, LONG))
    filters = {"order": ["length"], "length": {"min_question_words": 3}}
    one = draft("eli5", tmp_path / "out", config(filters=filters), Local())
    assert ids(one) == ["eli5-q1"]
    assert dropped(one) == {"length": 1, "near-duplicates": 1}


def test_a_written_question_goes_through_the_filters_too(tmp_path: Path) -> None:
    first, second = wiki(tmp_path / "out", *(article(n, title=f"{words(n, 3)} of many words") for n in range(2)))
    filters = {"order": ["length"], "length": {"min_question_words": 5, "min_answer_words": 1}}
    asked = questions(**{first: "What is it?", second: "What in the world is it?"})
    one = draft("wiki", tmp_path / "out", config(filters=filters), Local(), asked)
    assert (ids(one), one.questions) == ([second], ("What in the world is it?",))
    assert dropped(one) == {"length": 0, "near-duplicates": 0, "questions": 1}
    assert one.steps[-1].reasons == {"length: question under 5 words": 1}


def test_the_threshold_is_the_configurations(tmp_path: Path) -> None:
    texts = (LONG, f"{LONG} {words('tail', 5)}")  # about 40 / 45 = 0.89 alike
    eli5(tmp_path / "out", *(answered(number, text) for number, text in enumerate(texts)))
    for threshold, left in ((0.85, 1), (0.95, 2)):
        one = draft("eli5", tmp_path / "out", config(near_duplicates={"threshold": threshold}), Local())
        assert len(one.questions) == left


# --- all together ---


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from(["", "So?", "Why is that so?"])), min_size=1)
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_candidate_is_kept_or_dropped_by_one_step(tmp_path: Path, made: list[tuple[bool, int, str]]) -> None:
    """A title long enough for the filter or not, one of four answers, and no question, a short or a long one."""
    articles = [
        article(n, title=words(n, 4 if long else 1), text=words(("answer", text), 30))
        for n, (long, text, _) in enumerate(made)
    ]
    rows = list(zip(wiki(tmp_path / "out", *articles), made, strict=True))
    filters = {"order": ["length"], "length": {"min_question_words": 5}}  # `What is` + 1 word are too few
    asked = questions(**{name: f"{text} {name[5:]}" for name, (_, _, text) in rows if text})
    one = draft("wiki", tmp_path / "out", config(filters=filters), Local(), asked)
    long = [(name, answer) for name, (is_long, answer, _) in rows if is_long]
    firsts = {answer: name for name, answer in reversed(long)}.values()
    left = [name for name, (_, _, text) in rows if name in firsts and text == "Why is that so?"]
    assert ids(one) == left
    assert one.questions == tuple(f"Why is that so? {name[5:]}" for name in left)
    assert dropped(one) == {
        "length": len(rows) - len(long),
        "near-duplicates": len(long) - len(firsts),
        "questions": len(firsts) - len(left),
    }
    assert ids(one) == left  # as often as one likes


@pytest.mark.parametrize("engine", [Local(), Local(2)])
def test_more_than_a_batch_on_one_process_and_two(tmp_path: Path, engine: Engine) -> None:
    """The filters judge 512 at a time; every seventh answer is as the one before it."""
    posts = [answered(n, words(("a", n - (n % 7 == 1)), 15), title=words(n, 2 + n % 3)) for n in range(1300)]
    eli5(tmp_path / "out", *posts)
    filters = {"order": ["length"], "length": {"min_question_words": 3}}
    one = draft("eli5", tmp_path / "out", config(filters=filters), engine)
    short = {n for n in range(1300) if n % 3 == 0}
    doubled = {n for n in range(1300) if n % 7 == 1 and n not in short and n - 1 not in short}
    assert dropped(one) == {"length": len(short), "near-duplicates": len(doubled)}
    assert ids(one) == [f"eli5-q{n}" for n in range(1300) if n not in short | doubled]
