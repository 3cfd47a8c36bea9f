"""Which training pairs share words with an evaluation set: on made-up sets, and on those that s2eval scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.errors import DataError
from s2train.data.build.split import normalised
from s2train.data.dedup.contamination import Contamination, Hit, Index, contamination, run_length
from s2train.data.dedup.evaluations import EvaluationSet, Item, pair_set, question_set, read_evaluations
from s2train.data.records import Pair

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TWENTY = [f"{letter}word" for letter in LETTERS[:20]]


def made(*items: Sequence[str], name: str = "made") -> EvaluationSet:
    return EvaluationSet(name, tuple(Item(str(number), tuple(texts)) for number, texts in enumerate(items)))


def pair(question: str, answer: str = "yes", id: str = "p") -> Pair:
    return Pair(id, question, answer, "test")


def hits(one: EvaluationSet, *pairs: Pair) -> list[Hit]:
    return Index([one]).hits(pairs)


def test_n_is_the_fifth_percentile_of_the_items_lengths_from_8_to_13() -> None:
    # 21 items of 5, 6, … 25 words; the 5th percentile is the second smallest
    def growing(least: int) -> EvaluationSet:
        return made(*([" ".join(TWENTY[:2]), " ".join(["w"] * (least - 2 + more))] for more in range(21)))

    assert run_length(growing(5)) == 8  # 6, but at least 8
    assert run_length(growing(8)) == 9
    assert run_length(growing(10)) == 11
    assert run_length(growing(40)) == 13


def test_thirteen_words_in_a_row_are_a_hit_and_twelve_are_none() -> None:
    one = made([" ".join(TWENTY)])
    assert run_length(one) == 13
    inside = " ".join(["so", *TWENTY[4:17], "then"])
    found = hits(one, pair("What?", inside, "a"), pair("Why?", " ".join(TWENTY[4:16]), "b"))
    assert found == [Hit("a", "made", "0", " ".join(TWENTY[4:17]))]
    # neither case nor punctuation matters, and the question counts as the answer does
    spelled = ", ".join(TWENTY[4:17]).upper() + "!"
    assert [hit.words for hit in hits(one, pair(spelled))] == [" ".join(TWENTY[4:17])]


def test_words_do_not_run_from_question_to_answer_nor_from_pair_to_pair() -> None:
    one = made([" ".join(TWENTY)])
    half, rest = " ".join(TWENTY[:10]), " ".join(TWENTY[10:])
    assert hits(one, pair(half, rest), pair(rest, half, "q"), pair(rest, half, "r")) == []
    assert hits(made([half, rest]), pair(f"{half} {rest}"))  # but each text of an item counts


def test_a_text_of_8_to_12_words_must_occur_whole() -> None:
    one = made([" ".join(TWENTY[:10]), "a right answer of so many words that n is thirteen"])
    assert run_length(one) == 13
    assert hits(one, pair(f"Hello: {' '.join(TWENTY[:10])}?"))
    assert not hits(one, pair(" ".join(TWENTY[:9])))


def test_a_question_under_8_words_counts_only_as_a_whole_question_and_such_an_answer_never() -> None:
    one = made(["Why is the sky blue?", "Air scatters blue light."])
    assert hits(one, pair("why is the sky BLUE")) == [Hit("p", "made", "0", "why is the sky blue")]
    assert hits(one, pair("Why is the sky blue at noon?"), pair("Why?", "Why is the sky blue?")) == []
    assert hits(one, pair("Air scatters blue light.", "Air scatters blue light.")) == []


def test_words_that_more_than_ten_items_share_are_phrasing() -> None:
    phrase = " ".join(TWENTY[:8])
    short = [[f"Is it {letter}{letter}?"] for letter in LETTERS]  # so that n is 8
    for count, found in ((10, 10), (11, 0)):
        one = made(*short, *([f"{phrase} {letter * 3}"] for letter in LETTERS[:count]))
        assert run_length(one) == 8
        assert len(hits(one, pair(f"So, {phrase}?"))) == found
        # what is the items' own is found in either case: eight words with the last
        assert [hit.item for hit in hits(one, pair(f"{' '.join(TWENTY[1:8])} aaa"))] == ["26"]
    # the same item eleven times, as with a training pair that was copied, is found nevertheless
    assert len(hits(made([phrase]), *(pair(phrase, id=letter) for letter in LETTERS[:11]))) == 11


def test_one_hit_for_each_pair_and_item_in_the_order_of_the_pairs() -> None:
    text = " ".join(TWENTY)
    one, other = made([text], [text, "more"], name="one"), made([text], name="other")
    found = Index([one, other]).hits([pair(text, text, "b"), pair("No.", "No.", "n"), pair("What?", text, "a")])
    keys = [(hit.pair, hit.set, hit.item) for hit in found]
    assert sorted(set(keys)) == sorted(keys)
    assert [pair for pair, _, _ in keys] == ["b"] * 3 + ["a"] * 3
    assert {hit.words for hit in found} == {" ".join(TWENTY[:13])}


@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=8, max_size=24).map(" ".join), min_size=1, max_size=5),
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=30).map(" ".join), min_size=1, max_size=5),
)
def test_hits_are_those_of_the_definition(texts: list[str], answers: list[str]) -> None:
    one = made(*([text] for text in texts))
    run = run_length(one)
    expected = set()
    for number, answer in enumerate(answers):
        for place, text in enumerate(texts):
            parts = text.split()
            length = min(run, len(parts))
            runs = (" ".join(parts[at : at + length]) for at in range(len(parts) - length + 1))
            if any(f" {some} " in f" {answer} " for some in runs):
                expected.add((str(number), str(place)))
    found = hits(one, *(pair("What?", answer, str(number)) for number, answer in enumerate(answers)))
    assert {(hit.pair, hit.item) for hit in found} == expected


def test_the_report() -> None:
    text = " ".join(TWENTY)
    index = Index([made([text], ["Why is the sky blue?"], ["Why is the sea red?"], ["Is it?"]), made([text], name="b")])
    pairs = [pair(text, id=f"{number:03}") for number in range(600)]  # two batches
    pairs[7:7] = [pair("Why is the sea red", id="sea"), pair("Why not?", id="clean")]
    report = contamination(iter(pairs), index)
    assert report.read == 602
    assert list(report.leaked) == [one.id for one in pairs if one.id != "clean"]
    assert report.leaked["000"] == report.leaked["sea"] == "made"  # the set of the first words
    first, second = report.sets
    assert (first.items, first.items_hit, first.share, first.pairs_hit) == (4, 2, 0.5, 601)
    assert (second.items, second.items_hit, second.share, second.pairs_hit) == (1, 1, 1.0, 600)
    assert len(first.examples) == 10
    backwards = contamination(reversed(pairs), index)
    assert backwards.sets == report.sets  # examples too
    entry = json.loads(json.dumps(report.entry()))
    assert (entry["read"], entry["hit"], entry["sets"][0]["share"]) == (602, 601, 0.5)


def test_nothing_to_read_and_nothing_to_hold_it_against() -> None:
    assert contamination([], Index([])) == Contamination(0, (), {})
    assert Index([]).hits([pair("Why?")]) == []
    assert Index([made(["Why?"])]).hits([]) == []
    with pytest.raises(ValueError, match="'validation' has no items"):
        pair_set("validation", [])


# --- the sets that s2eval scores ---


@pytest.fixture
def folder(shared_data: Path, tmp_path: Path) -> Path:
    """The leaderboard's items with 60 ELI5 pairs as a validation side."""
    out = tmp_path / "sets"
    for name in ("arc_challenge", "hellaswag", "mmlu", "truthfulqa"):
        shutil.copytree(shared_data / "leaderboard" / name, out / name)
    (out / "eli5").mkdir()
    lines = [json.dumps(one.row()) for one in eli5(shared_data)[:60]]
    (out / "eli5" / "validation.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def eli5(shared_data: Path) -> list[Pair]:
    """800 questions with their first answers, and the leads of 700 articles."""
    posts = rows(shared_data / "eli5" / "explainlikeimfive.jsonl")
    answered = [post for post in posts if post["answers"]["text"]][:800]
    leads = rows(shared_data / "simplewiki" / "swipe_pairs.jsonl")
    return [pair(post["title"], post["answers"]["text"][0], post["q_id"]) for post in answered] + [
        pair(f"What is {lead['title']}?", lead["simple_text"], lead["id"]) for lead in leads
    ]


def test_real_questions_of_every_set_are_found_and_real_answers_are_clean(shared_data: Path, folder: Path) -> None:
    there = read_evaluations(folder)
    mtbench = question_set("mtbench", shared_data / "mtbench" / "question.jsonl")
    index = Index([*there.sets, mtbench])
    assert dict(there.missing) == {"wiki": "wiki/validation.jsonl", "full": "full/validation.jsonl"}
    sizes = {one.name: len(one.items) for one in index.sets}
    assert sizes.pop("mmlu") == sum(len(rows(file)) for file in folder.glob("mmlu/*/test.jsonl"))
    leaderboard = {"arc_challenge": 1172, "hellaswag": 1000, "truthfulqa": 817}
    assert sizes == leaderboard | {"eli5": 60, "mtsbench": 60, "mtbench": 80}

    clean = contamination(eli5(shared_data)[60:], index)
    assert sum(one.pairs_hit for one in clean.sets if one.name != "eli5") == 0  # of 1,440
    leaked = [
        *(row["question"] for row in rows(folder / "arc_challenge" / "test.jsonl")[:100]),
        *(row["question"] for row in rows(folder / "mmlu" / "anatomy" / "test.jsonl")[:100]),
        *(row["question"] for row in rows(folder / "truthfulqa" / "validation.jsonl")[:100]),
        *(f"{row['ctx_a']} {row['ctx_b']}" for row in rows(folder / "hellaswag" / "validation.jsonl")[:100]),
        *(row["turns"][0] for row in rows(shared_data / "mtbench" / "question.jsonl")),
    ]
    pairs = [pair(f"  {str(text).upper()}!", id=str(number)) for number, text in enumerate(leaked)]
    assert len(contamination(pairs, index).leaked) == len(leaked) == 480


def test_the_validation_side_is_a_set_too(shared_data: Path, folder: Path) -> None:
    pairs = eli5(shared_data)
    (validation,) = (one for one in read_evaluations(folder).sets if one.name == "eli5")
    found = contamination(pairs, Index([validation]))
    assert set(found.leaked) >= {one.id for one in pairs[:60]}
    assert found.sets[0].share == 1.0
    assert [item.texts for item in validation.items] == [item.texts for item in pair_set("eli5", pairs[:60]).items]


def test_sets_left_out_sets_missing_and_sets_broken(folder: Path) -> None:
    named = {one.name for one in read_evaluations(folder, without=["eli5", "wiki"]).sets}
    assert named == {"arc_challenge", "hellaswag", "mmlu", "truthfulqa", "mtsbench"}
    nothing = read_evaluations(None)
    assert [one.name for one in nothing.sets] == ["mtsbench"]
    assert len(nothing.missing) == 7
    (folder / "eli5" / "validation.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"eli5/validation\.jsonl: empty"):
        read_evaluations(folder)
    with (folder / "truthfulqa" / "validation.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"question": "Why?"}\n')
    with pytest.raises(DataError, match=r"truthfulqa/validation\.jsonl:818: field 'mc2_targets'"):
        read_evaluations(folder, without=["eli5"])


def test_what_a_row_says_is_the_question_and_its_right_answers(data_dir: Path) -> None:
    sets = {one.name: one for one in read_evaluations(data_dir).sets}
    assert set(sets) == {"arc_challenge", "hellaswag", "mmlu", "truthfulqa", "eli5", "wiki", "full", "mtsbench"}
    assert sets["arc_challenge"].items[0].texts == (
        "Lea wants to look at the tiny cells in a piece of onion skin. Which tool does she need?",
        "a microscope",
    )
    assert sets["hellaswag"].items[0].texts[1] == "brushes her teeth and rinses her mouth with water."
    assert sets["truthfulqa"].items[0].texts[1] == "No, shaving does not make hair grow back thicker."
    assert all(len(item.texts) == 2 for item in sets["mtsbench"].items)  # both turns
    assert normalised(sets["eli5"].items[0].texts[0]) == "why do i get goosebumps when i am cold"
