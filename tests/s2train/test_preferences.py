"""Which of two answers is preferred, by how much and why not: votes, grades, dialogues, and the files."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from s2eval.errors import DataError, UnknownNameError
from s2eval.metrics import readability
from s2eval.prompts import Turn
from s2train.data import eli5, preferences, wiki
from s2train.data.preferences import (
    DialogueRecord,
    EqualVoteSettings,
    LeadRecord,
    LeadSettings,
    Outcome,
    VotedRecord,
    VoteSettings,
    build_preferences,
    dialogues,
    equal_votes,
    leads,
    prompt_of,
    sentences,
    turns_of,
    votes,
)

TEN = "one two three four five six seven eight nine"  # and a tenth word, to tell answers apart


def record(*answers: tuple[str, int], ids: str | None = None, **more: Any) -> VotedRecord:
    """A post; `ids` holds one base-36 digit an answer."""
    lists: dict[str, Any] = {"text": [text for text, _ in answers], "score": [score for _, score in answers]}
    if ids is not None:
        lists["a_id"] = [f"f00d{digit}" for digit in ids]
    lists |= {"created_utc": more.pop("created_utc")} if "created_utc" in more else {}
    return VotedRecord.model_validate({"title": "Why is the sky blue?", "answers": lists, **more})


def helpful(*scores: int, **more: Any) -> VotedRecord:
    return record(*((f"{TEN} {chr(97 + n)}.", score) for n, score in enumerate(scores)), **more)


def refused(outcome: Outcome) -> dict[str, int]:
    return {reason: count for reason, count in outcome.refused.items() if count}


# --- helpfulness ---


def test_the_clearly_better_voted_answer_is_chosen() -> None:
    outcome = votes(helpful(10, 40, ids="12", selftext="And red at night? [see](https://a.org)"), VoteSettings())
    (pair,) = outcome.pairs
    assert pair.row() == {
        "prompt": "Why is the sky blue?\n\nAnd red at night? see",
        "chosen": f"{TEN} b.",
        "rejected": f"{TEN} a.",
        "aspect": "helpfulness",
        "margin": 1.3863,  # ln(40 / 10)
        "source": "reddit/explainlikeimfive",
    }
    assert refused(outcome) == {}


@pytest.mark.parametrize(
    ("scores", "margin"),
    [
        ((10, 19), None),  # 1.9 times
        ((10, 20), math.log(2)),  # 2 times, 10 apart
        ((4, 8), None),  # only 4 apart
        ((-30, 5), math.log(5)),  # 5 / 1
        ((-30, 1), None),  # 1 / 1
        ((0, 0), None),
    ],
)
def test_votes_must_differ_by_ratio_and_difference(scores: tuple[int, int], margin: float | None) -> None:
    outcome = votes(helpful(*scores), VoteSettings(min_ratio=2, min_difference=5))
    assert [pair.margin for pair in outcome.pairs] == ([] if margin is None else [pytest.approx(margin)])
    assert refused(outcome) == ({preferences.CLOSE: 1} if margin is None else {})


def test_who_was_first_gathers_votes_so_only_the_later_answer_counts_as_better() -> None:
    assert refused(votes(helpful(40, 10, ids="12"), VoteSettings())) == {preferences.EARLIER: 1}
    assert len(votes(helpful(40, 10, ids="21"), VoteSettings()).pairs) == 1
    assert len(votes(helpful(40, 10, ids="12"), VoteSettings(time="any")).pairs) == 1
    assert len(votes(helpful(10, 40, ids="z1"), VoteSettings()).pairs) == 0  # in base 36 z is after 1


def test_times_are_believed_before_ids_and_may_allow_a_head_start() -> None:
    post = helpful(40, 10, ids="21", created_utc=[1000.0, 1060.0])
    assert refused(votes(post, VoteSettings())) == {preferences.EARLIER: 1}
    assert refused(votes(post, VoteSettings(max_head_start=59))) == {preferences.EARLIER: 1}
    assert len(votes(post, VoteSettings(max_head_start=60)).pairs) == 1
    assert len(votes(helpful(40, 10, created_utc=[1000.0, 1000.0]), VoteSettings()).pairs) == 1  # at the same second
    assert votes(helpful(40, 10, ids="12"), VoteSettings(max_head_start=1e12)).pairs == ()  # ids are no seconds


@pytest.mark.parametrize("ids", [None, "1%"])
def test_where_nobody_knows_who_was_first(ids: str | None) -> None:
    assert len(votes(helpful(40, 10, ids=ids), VoteSettings()).pairs) == 1
    dropped = votes(helpful(40, 10, ids=ids), VoteSettings(unknown_time="drop"))
    assert refused(dropped) == {preferences.UNKNOWN_TIME: 1}


def test_one_discussion_gives_its_widest_pairs_only() -> None:
    outcome = votes(helpful(10, 100, 1000), VoteSettings(pairs_per_question=2))
    assert [(pair.chosen[-2], pair.rejected[-2]) for pair in outcome.pairs] == [("c", "a"), ("b", "a")]  # 100×, 10×
    assert refused(outcome) == {preferences.BEYOND: 1}  # c against b, 10× as well, but after it


@pytest.mark.parametrize(
    ("post", "reason"),
    [
        (helpful(40), preferences.FEW),
        (record((f"{TEN} a.", 40), ("[deleted]", 1)), preferences.FEW),
        (helpful(40, 10, title="[removed]"), eli5.NO_QUESTION),
        (record((f"{TEN} a.", 40), (f"{TEN}  a.", 1)), preferences.SAME),
        (record((f"{TEN} a.", 40), ("No.", 1)), preferences.SHORT),
    ],
)
def test_posts_without_a_pair(post: VotedRecord, reason: str) -> None:
    assert votes(post, VoteSettings()) == Outcome((), {reason: 1})


def test_lists_that_are_not_parallel() -> None:
    with pytest.raises(ValidationError, match="2 texts, but 1 of a_id"):
        helpful(1, 2, ids="1")


@given(st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 35)), max_size=8))
def test_every_two_answers_are_a_pair_or_refused_once(answers: list[tuple[int, int]]) -> None:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    post = helpful(*(score for score, _ in answers), ids="".join(digits[place] for _, place in answers) or None)
    outcome = votes(post, VoteSettings())
    candidates = math.comb(len(answers), 2) if len(answers) > 1 else 1
    assert len(outcome.pairs) + sum(outcome.refused.values()) == candidates
    score = {f"{TEN} {chr(97 + n)}.": answer for n, answer in enumerate(answers)}
    for pair in outcome.pairs:
        (better, later), (worse, earlier) = score[pair.chosen], score[pair.rejected]
        assert better >= 2 * max(worse, 1)
        assert later >= earlier


# --- simplicity: equal votes ---

EASY = "The sun is hot. It gives us light. We see it in the day. It is far away. We can not go there at all."
HARD = "Thermonuclear reactions continuously transform hydrogen into helium, whereupon considerable electromagnetic"
HARD += " radiation traverses interplanetary distances, illuminating the terrestrial hemisphere during daylight hours."


def test_of_equally_voted_answers_the_simpler_is_chosen() -> None:
    (pair,) = equal_votes(record((HARD, 7), (EASY, 7)), EqualVoteSettings()).pairs
    assert (pair.chosen, pair.rejected, pair.aspect) == (EASY, HARD, "simplicity")
    assert pair.margin == readability(HARD).fkg - readability(EASY).fkg > 10


@pytest.mark.parametrize(
    ("answers", "settings", "reason"),
    [
        (((HARD, 7), (EASY, 8)), {}, preferences.UNEQUAL),
        (((HARD, 1), (EASY, 1)), {}, preferences.UNEQUAL),  # nobody voted
        (((HARD, 7), ("The sun is hot.", 7)), {}, preferences.SHORT),
        (((HARD, 7), (EASY * 2, 7)), {}, preferences.LENGTHS),
        (((EASY, 7), (EASY + " Yes.", 7)), {}, preferences.GRADES),
        (((HARD, 7), (EASY, 7)), {"min_grades": 100}, preferences.GRADES),
    ],
)
def test_pairs_that_say_nothing_about_simplicity(answers: Any, settings: dict[str, Any], reason: str) -> None:
    assert equal_votes(record(*answers), EqualVoteSettings.model_validate(settings)) == Outcome((), {reason: 1})


def test_nearly_equal_votes_can_count_as_equal() -> None:
    assert len(equal_votes(record((HARD, 10), (EASY, 9)), EqualVoteSettings(max_ratio=1.12)).pairs) == 1  # 10/9


# --- simplicity: leads ---

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
        ({"regular": "&nbsp;\n"}, preferences.NO_REGULAR),
        ({"regular": SIMPLE.upper()}, preferences.SAME),
        ({"simple": "Ayr is a town."}, preferences.SHORT),
        ({"simple": REGULAR, "regular": SIMPLE}, preferences.NOT_SIMPLER),
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


# --- harmlessness ---


def hh(chosen: str, rejected: str, prompt: str = "") -> Outcome:
    return dialogues(DialogueRecord(chosen=chosen, rejected=rejected, prompt=prompt))


ASKED = "\n\nHuman: Hi &amp; hello\n\nAssistant: Yes?\n\nHuman: How do I steal?\n\nAssistant:"


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [(" Don't. ", " Quietly.", ASKED), (f"{ASKED} Don't.", f"{ASKED} Quietly.", "")],  # whole dialogues, as published
)
def test_two_last_answers_of_one_dialogue(chosen: str, rejected: str, prompt: str) -> None:
    (pair,) = hh(chosen, rejected, prompt).pairs
    assert (pair.chosen, pair.rejected, pair.margin, pair.aspect) == ("Don't.", "Quietly.", 0.0, "harmlessness")
    assert pair.prompt == ASKED.replace("&amp;", "&")
    assert turns_of(pair.prompt) == [Turn("Hi & hello", "Yes?"), Turn("How do I steal?")]


def test_a_dialogue_of_one_turn_is_a_plain_question() -> None:
    (pair,) = hh(" Don't.", " Quietly.", "\n\nHuman: How do I steal?\n\nAssistant:").pairs
    assert pair.prompt == "How do I steal?"
    assert turns_of(pair.prompt) == [Turn("How do I steal?")]


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        ("No.", "Yes.", preferences.NO_DIALOGUE),
        (f"Hello{ASKED} No.", f"Hello{ASKED} Yes.", preferences.NO_DIALOGUE),
        ("\n\nAssistant: No.", "\n\nAssistant: Yes.", preferences.NO_DIALOGUE),
        (f"{ASKED} No.\n\nHuman: Why?", f"{ASKED} Yes.\n\nHuman: Why?", preferences.NO_DIALOGUE),  # ends in a question
        ("\n\nHuman: A\n\nHuman: B\n\nAssistant: C", "\n\nHuman: A\n\nAssistant: D", preferences.NO_DIALOGUE),
        (f"{ASKED} ", f"{ASKED} Yes.", preferences.EMPTY_TURN),
        (f"{ASKED} No.", f"{ASKED} Human: Yes.", preferences.MARK_INSIDE),
        (f"{ASKED} No.  Human: So?\n\nAssistant: No.", f"{ASKED} Yes.", preferences.NO_DIALOGUE),
        (f"{ASKED} No.", f"{ASKED.replace('steal', 'cook')} Yes.", preferences.DIFFER_EARLIER),
        (f"{ASKED} No.", f"{ASKED}  No. ", preferences.SAME),
    ],
)
def test_what_is_no_pair_of_dialogues(chosen: str, rejected: str, reason: str) -> None:
    assert hh(chosen, rejected) == Outcome((), {reason: 1})


TURN = (
    st.text(alphabet="ab \n:HumanAsit", min_size=1)
    .map(str.strip)
    .filter(lambda text: text and "Human:" not in text and "Assistant:" not in text)
)


@given(st.lists(TURN, min_size=1, max_size=7).filter(lambda said: len(said) % 2 == 1))
def test_a_prompt_is_read_back_as_its_turns(said: list[str]) -> None:
    turns = turns_of(prompt_of(said))
    read = itertools.chain.from_iterable((turn.question, turn.answer) for turn in turns)
    assert [*read] == [*said, None]


# --- files ---


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_real_records_become_three_files(tmp_path: Path, shared_data: Path) -> None:
    """Of all 5,411 posts: 2,355 pairs for helpfulness (14,202 were the wrong way round in time), 495 for simplicity."""
    some = tmp_path / "eli5.jsonl"
    with (shared_data / "eli5" / "explainlikeimfive.jsonl").open(encoding="utf-8") as file:
        some.write_text("".join(itertools.islice(file, 400)), encoding="utf-8")
    inputs = {
        "eli5": [some],
        "leads": [shared_data / "simplewiki" / "swipe_pairs.jsonl"],
        "hh": [shared_data / "preferences" / "hh_harmless_base.jsonl"],
    }
    funnels = {funnel.aspect: funnel for funnel in build_preferences(inputs, tmp_path)}
    assert dict(funnels["simplicity"].pairs)["swipe"] == 561
    assert dict(funnels["harmlessness"].pairs) == {"hh-rlhf": 1557}
    assert dict(funnels["harmlessness"].refused) == {
        preferences.EMPTY_TURN: 4,
        preferences.MARK_INSIDE: 35,
        preferences.NO_DIALOGUE: 4,
    }
    for aspect, funnel in funnels.items():
        assert funnel.candidates == sum(funnel.refused.values()) + sum(funnel.pairs.values())
        path = tmp_path / "preferences" / f"{aspect}.jsonl"
        lines = rows(path)
        assert len(lines) == sum(funnel.pairs.values()) > 50
        for row in lines:
            assert list(row) == ["prompt", "chosen", "rejected", "aspect", "margin", "source"]
            assert row["aspect"] == aspect
            assert row["margin"] >= 0
            assert row["chosen"].strip() == row["chosen"] != row["rejected"]
            assert turns_of(row["prompt"])[-1].answer is None
        made = json.loads((tmp_path / "preferences" / f"{aspect}.build.json").read_text(encoding="utf-8"))
        assert made["outputs"][path.name] == {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "rows": len(lines),
        }


def hh_file(folder: Path, *answers: str) -> Path:
    path = folder / "hh.jsonl"
    lines = (json.dumps({"prompt": ASKED, "chosen": f" {a}", "rejected": " Quietly."}) for a in answers)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_pair_that_comes_twice_is_written_once(tmp_path: Path) -> None:
    (funnel,) = build_preferences({"hh": [hh_file(tmp_path, "No.", "Never.", "No.")]}, tmp_path)
    assert (funnel.pairs, funnel.refused) == ({"hh-rlhf": 2}, {preferences.DUPLICATE: 1})
    assert [row["chosen"] for row in rows(tmp_path / "preferences" / "harmlessness.jsonl")] == ["No.", "Never."]
    assert [line.split() for line in funnel.lines()][-1] == ["=", "hh-rlhf", "2"]


def test_what_goes_wrong_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    build_preferences({"hh": [hh_file(tmp_path, "No.")]}, tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "preferences").iterdir()}
    assert sorted(before) == ["harmlessness.build.json", "harmlessness.jsonl"]
    with pytest.raises(DataError, match=r"no harmlessness pair in 1 records .*same text"):
        build_preferences({"hh": [hh_file(tmp_path, "Quietly.")]}, tmp_path)
    broken = hh_file(tmp_path, "Never.")
    broken.write_text(broken.read_text(encoding="utf-8") + '\n{"chosen": "No."', encoding="utf-8")
    with pytest.raises(DataError, match=r"hh\.jsonl:2: broken JSON"):
        build_preferences({"hh": [broken]}, tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "preferences").iterdir()} == before


def test_an_unknown_kind_of_input(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'eli5'"):
        build_preferences({"elli5": []}, tmp_path)
