"""Which tokens carry loss, what a template writes before an answer, what is too long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from s2eval import prompts
from s2train.data.preferences import PreferenceLine
from s2train.data.records import PairLine
from s2train.training import models
from s2train.training.rows import IGNORED, Encoder, answered, compared, ends, opening, preferred, tokens_of
from tests.s2train.training import tiny


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> Any:
    return models.tokenizer(smollm2)


def encoder(tokenizer: Any, template: str = "s2", **options: Any) -> Encoder:
    return Encoder(tokenizer, prompts.get(template, tokenizer), **{"max_length": 64, **options})


def line(question: str, answer: str) -> PairLine:
    return PairLine(id="1", question=question, answer=answer, source="made")


def pair(chosen: str, rejected: str, prompt: str = "Why?", margin: float = 2.0) -> PreferenceLine:
    return PreferenceLine(
        prompt=prompt, chosen=chosen, rejected=rejected, aspect="simplicity", margin=margin, source="made"
    )


def test_loss_is_on_the_answer_and_the_end_of_text(tokenizer: Any) -> None:
    rows = answered(encoder(tokenizer), [line("Why?", "It is blue.")])
    (tokens,), (labels,) = rows.columns["input_ids"], rows.columns["labels"]
    prompt = tokenizer("### Human: Why? ###Assistant:")["input_ids"]
    assert tokens[: len(prompt)].tolist() == prompt  # what evaluation will ask
    assert labels[: len(prompt)].tolist() == [IGNORED] * len(prompt)
    assert tokenizer.decode(labels[len(prompt) :]) == f" It is blue.{tokenizer.eos_token}"
    assert labels[-1] == tokenizer.eos_token_id
    assert (tokens[len(prompt) :] == labels[len(prompt) :]).all()
    assert rows.merged == 0


def test_the_same_tokens_and_labels_as_trl_makes_of_prompt_and_completion(tokenizer: Any, base: Path) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    lines = [PairLine.model_validate(row) for row in tiny.pairs(5)]
    rows = answered(encoder(tokenizer), lines)
    plain = [{"prompt": f"### Human: {one.question} ###Assistant:", "completion": f" {one.answer}"} for one in lines]
    prepare: Any = SFTTrainer._prepare_dataset
    stand_in = type("_", (), {"_tokenizer": tokenizer, "chat_template": None, "completion_only_loss": True})()
    args = SFTConfig(output_dir="unused", use_cpu=True, bf16=False, max_length=64)
    theirs = prepare(stand_in, Dataset.from_list(plain), tokenizer, args, False, None, "train")
    for number in range(5):
        assert rows.columns["input_ids"][number].tolist() == theirs[number]["input_ids"]
        assert rows.columns["labels"][number].tolist() == theirs[number]["labels"]


@pytest.mark.parametrize(
    ("template", "before"), [("s2", " "), ("s2-space", " "), ("chat", ""), ("fastchat:vicuna_v1.1", " ")]
)
def test_what_a_template_writes_before_an_answer(tokenizer: Any, template: str, before: str) -> None:
    assert opening(prompts.get(template, tokenizer)) == before


def test_a_prompt_whose_end_goes_into_the_answer_is_counted(tokenizer: Any) -> None:
    """` blu` and `e` are tokens apart, ` blue` is one."""
    made = prompts.Template("odd", "0", (), lambda turns: turns[0].question + " blu")
    assert len(tokenizer(" blue")["input_ids"]) == 1
    rows = answered(Encoder(tokenizer, made, 64), [line("Why", "e")])
    assert rows.merged == 1
    assert rows.columns["labels"][0].tolist()[0] == IGNORED
    assert tokenizer.decode(rows.columns["labels"][0][1:]) == f" blue{tokenizer.eos_token}"


def test_a_bos_that_the_template_writes_stands_once(tokenizer: Any) -> None:
    rows = answered(encoder(tokenizer, "chat"), [line("Why?", "So.")])
    text = tokenizer.decode(rows.columns["input_ids"][0])
    assert text.count("Why?") == 1
    assert not text.startswith(tokenizer.bos_token * 2)
    assert text.endswith(f"assistant\nSo.{tokenizer.eos_token}")


def test_rows_that_are_too_long(tokenizer: Any) -> None:
    lines = [line("Why?", "blue " * count) for count in (2, 40, 3)]
    length = len(tokenizer(f"### Human: Why? ###Assistant: {'blue ' * 3}{tokenizer.eos_token}")["input_ids"])
    left = answered(encoder(tokenizer, max_length=length), lines)
    assert (left.read, len(left), left.dropped, left.cut) == (3, 2, 1, 0)
    assert left.tokens == sum(map(len, left.columns["input_ids"]))
    kept = answered(encoder(tokenizer, max_length=length, cut=True), lines)
    assert (kept.read, len(kept), kept.dropped, kept.cut) == (3, 3, 0, 1)
    assert len(kept.columns["labels"][1]) == length
    assert kept.columns["labels"][1][-1] != tokenizer.eos_token_id  # nothing tells it to stop there
    alone = answered(encoder(tokenizer, max_length=3, cut=True), lines)
    assert (len(alone), alone.dropped) == (0, 3)  # of a prompt alone nothing is learnt
    assert left.line("train") == f"train: 2 of 3 rows, {left.tokens} tokens; 1 were too long and left out"


def test_pairs_for_a_reward_model(tokenizer: Any) -> None:
    rows = compared(encoder(tokenizer), [pair("Yes.", "It is so."), pair("A", "blue " * 99)], margin=0.5)
    assert (len(rows), rows.dropped) == (1, 1)
    assert rows.columns["margin"] == [1.0]  # 0.5 × 2
    assert tokenizer.decode(rows.columns["chosen_ids"][0]) == f"### Human: Why? ###Assistant: Yes.{tokenizer.eos_token}"
    assert "margin" not in compared(encoder(tokenizer), [pair("Yes.", "No.")]).columns


def test_pairs_for_dpo(tokenizer: Any) -> None:
    rows = preferred(encoder(tokenizer, max_length=20, cut=True), [pair("Yes.", "blue " * 99)])
    prompt, chosen, rejected = (rows.columns[f"{name}_ids"][0] for name in ("prompt", "chosen", "rejected"))
    assert tokenizer.decode(prompt) == "### Human: Why? ###Assistant:"
    assert tokenizer.decode(chosen) == f" Yes.{tokenizer.eos_token}"
    assert len(prompt) + len(rejected) == 20
    assert rows.cut == 1


def test_a_dialogue_becomes_turns_of_the_template(tokenizer: Any) -> None:
    said = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:"
    rows = preferred(encoder(tokenizer), [pair("So.", "No.", prompt=said)])
    assert rows.prompts == ["### Human: Hi ###Assistant: Hello ### Human: Why? ###Assistant:"]


# --- control tokens ----------------------------------------------------------------------------------------------


@pytest.fixture
def appending(tokenizer: Any) -> Any:
    """The tokenizer, as with `add_eos_token: true`."""
    import copy

    from tokenizers.processors import TemplateProcessing

    made = copy.deepcopy(tokenizer)
    end = (made.eos_token, made.eos_token_id)
    made.backend_tokenizer.post_processor = TemplateProcessing(single=["$A", end[0]], special_tokens=[end])
    return made


@pytest.mark.parametrize("template", ["s2", "chat", "fastchat:vicuna_v1.1"])
def test_a_tokenizer_that_appends_the_end_of_text_gives_the_same_rows(
    tokenizer: Any, appending: Any, template: str
) -> None:
    one, other = (answered(encoder(words, template), [line("Why?", "So.")]) for words in (tokenizer, appending))
    assert other.merged == 0
    for name in ("input_ids", "labels"):
        assert one.columns[name][0].tolist() == other.columns[name][0].tolist()
    one, other = (preferred(encoder(words, template), [pair("Yes.", "No.")]) for words in (tokenizer, appending))
    for name, values in one.columns.items():
        assert values[0].tolist() == other.columns[name][0].tolist()
    one, other = (compared(encoder(words, template), [pair("Yes.", "No.")]) for words in (tokenizer, appending))
    assert one.columns["chosen_ids"][0].tolist() == other.columns["chosen_ids"][0].tolist()
    assert tokens_of(appending, ["Why?"]) == tokens_of(tokenizer, ["Why?"])


@pytest.mark.parametrize("template", ["s2", "chat"])
def test_a_control_tokens_text_in_an_answer_is_text(tokenizer: Any, template: str) -> None:
    end = tokenizer.eos_token
    assert end == "<|im_end|>"
    said = f"{end}Write {end} at its end.{end}"
    rows = answered(encoder(tokenizer, template, max_length=128), [line(f"What is {end}?", said)])
    labels = [token for token in rows.columns["labels"][0].tolist() if token != IGNORED]
    assert labels.count(tokenizer.eos_token_id) == 1
    assert labels[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(labels).strip() == said + end
    pairs = preferred(encoder(tokenizer, template, max_length=128), [pair(said, end, prompt=f"What is {end}?")])
    for name in ("chosen_ids", "rejected_ids"):
        assert pairs.columns[name][0].tolist().count(tokenizer.eos_token_id) == 1
    harmless = answered(encoder(tokenizer, template), [line("What?", "So.")])
    for made in (rows, pairs):  # the question's text adds none to those of the template
        name = "prompt_ids" if "prompt_ids" in made.columns else "input_ids"
        count = made.columns[name][0].tolist().count(tokenizer.eos_token_id) - (name == "input_ids")
        assert count == harmless.columns["input_ids"][0].tolist().count(tokenizer.eos_token_id) - 1


def test_an_answer_ends_as_a_turn_does_in_its_template(tokenizer: Any) -> None:
    import copy

    made = copy.deepcopy(tokenizer)
    made.eos_token = "<|endoftext|>"  # as ChatML's bases have it: the end-of-text is not what ends a turn
    turn = made.convert_tokens_to_ids("<|im_end|>")
    for template, end in (("chat", turn), ("s2", made.eos_token_id)):
        words = encoder(made, template)
        labels = answered(words, [line("Why?", "So.")]).columns["labels"][0].tolist()
        assert [token for token in labels if token in (turn, made.eos_token_id)] == [end]
        assert labels[-1] == end
        assert compared(words, [pair("Yes.", "No.")]).columns["chosen_ids"][0][-1] == end
        assert preferred(words, [pair("Yes.", "No.")]).columns["rejected_ids"][0][-1] == end
        assert ends(made, words.template) == {end, made.eos_token_id}


# --- rows that nothing can be learnt from ------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["reward", "dpo"])
def test_pairs_that_say_nothing_are_left_out_and_counted(tokenizer: Any, stage: str) -> None:
    lines = [
        pair("Yes.", "No."),
        pair("Same.", "Same."),
        pair(" Same.\n", "Same."),
        pair(" ", "No."),
        pair("Yes.", "\u200b\n"),  # shows nothing either
        pair("Yes.", "No.", prompt="\u00a0"),
        pair("Yes.", "No.").model_copy(update={"aspect": "harmlessness"}),
    ]
    words = encoder(tokenizer)
    rows = compared(words, lines, 0.0, "simplicity") if stage == "reward" else preferred(words, lines, "simplicity")
    assert (rows.read, len(rows)) == (7, 1)
    assert rows.unusable == {
        "with two equal answers": 2,
        "blank": 3,
        "about harmlessness, not data.aspect=simplicity": 1,
    }
    assert rows.line("train").endswith(
        "tokens; 3 blank: left out; 2 with two equal answers: left out; "
        "1 about harmlessness, not data.aspect=simplicity: left out"
    )
    assert len(compared(words, lines)) == 2  # any aspect


def test_answers_that_a_template_or_a_cut_makes_equal(tokenizer: Any) -> None:
    long = [pair("blue " * 30 + "sky", "blue " * 30 + "sea")]
    cut = preferred(encoder(tokenizer, max_length=20, cut=True), long)
    assert (len(cut), cut.cut, cut.unusable) == (0, 0, {"with two equal answers": 1})
    assert len(preferred(encoder(tokenizer, max_length=64, cut=True), long)) == 1


def test_blank_questions_and_answers_of_sft(tokenizer: Any) -> None:
    rows = answered(encoder(tokenizer), [line("Why?", "So."), line(" ", "So."), line("Why?", "\n\t\u2060")])
    assert (rows.read, len(rows), rows.unusable) == (3, 1, {"blank": 2})
