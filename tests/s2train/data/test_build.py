"""A folder of sets: what goes to which side, what the manifest says of it, and what stays the same whatever the way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from s2train.data.build.split import side as side_of
from tests.s2train.data.folders import (
    CATS,
    ZIPPERS,
    article,
    built,
    checked,
    contents,
    dialogue,
    lines,
    plain,
    post,
    refused,
    rows,
    side,
    told,
    words,
)


def ids(folder: Path, name: str) -> list[str]:
    return [row["id"] for row in side(folder, name)]


# --- one set ---


def test_rows_funnel_and_provenance(tmp_path: Path) -> None:
    unanswered = post(1, answers={"a_id": [], "text": [], "score": []})
    source = lines(tmp_path / "in.jsonl", [ZIPPERS, unanswered, CATS, CATS])
    out = tmp_path / "out"
    printed = built("eli5", "--input", source, "--out", out, "--config", plain(tmp_path))
    assert {path.name for path in (out / "eli5").iterdir()} == {
        "train.jsonl",
        "validation.jsonl",
        "train.parquet",
        "validation.parquet",
    }
    assert ids(out, "eli5/train") == ["eli5-z"]  # 0.52 of 1
    assert ids(out, "eli5/validation") == ["eli5-c"]  # 0.06 of 1
    made = checked(out)
    assert made["sets"]["eli5"]["inputs"] == [
        {"name": "in.jsonl", "sha256": hashlib.sha256(source.read_bytes()).hexdigest(), "records": 4}
    ]
    assert made["sets"]["eli5"]["read"] == 4
    assert made["sets"]["eli5"]["funnel"][0] == {
        "step": "reading",
        "dropped": 2,
        "reasons": {"no answer": 1, "id seen before": 1},
        "examples": [],
    }
    shown = [line.split() for line in printed.splitlines()]
    for line in (["read", "4"], ["-", "reading", "2"], ["=", "kept", "2"], ["train", "1"], ["validation", "1"]):
        assert line in shown
    assert str(tmp_path) not in json.dumps(made)  # nothing of this machine


def test_the_lines_are_pairs_in_the_order_of_the_input(tmp_path: Path) -> None:
    posts = [post(n) for n in range(40)]
    out = tmp_path / "out"
    built("eli5", "--input", lines(tmp_path / "in", posts), "--out", out, "--config", plain(tmp_path))
    train, validation = (side(out, f"eli5/{name}") for name in ("train", "validation"))
    assert train[0] == {
        "id": "eli5-q0",
        "question": posts[0]["title"],
        "answer": posts[0]["answers"]["text"][0],
        "source": "reddit/explainlikeimfive",
        "score": 0,
        "category": None,
    }
    for name, found in (("train", train), ("validation", validation)):
        expected = [f"eli5-{one['q_id']}" for one in posts if side_of(one["title"]) == name]
        assert [row["id"] for row in found] == expected
        assert expected


def test_two_builds_are_the_same_bytes_and_more_data_move_no_question(tmp_path: Path) -> None:
    few, more = lines(tmp_path / "a", map(post, range(50))), lines(tmp_path / "b", map(post, range(50, 99)))
    config = plain(tmp_path)
    for out, inputs in (("one", [few]), ("two", [few]), ("both", [more, few])):
        built("eli5", "--out", tmp_path / out, "--validation-share", 0.4, "--config", config, "--input", *inputs)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    for name in ("eli5/train", "eli5/validation"):
        before, after = (set(ids(tmp_path / out, name)) for out in ("one", "both"))
        assert before
        assert before < after


def test_share_and_seed_are_the_commands(tmp_path: Path) -> None:
    source = lines(tmp_path / "in", map(post, range(200)))
    sizes: list[int] = []
    held_out: list[set[str]] = []
    for share, seed in ((0.2, 0), (0.5, 0), (0.5, 1)):
        out = tmp_path / f"{share}-{seed}"
        options = ("--validation-share", share, "--seed", seed, "--config", plain(tmp_path))
        built("eli5", "--input", source, "--out", out, *options)
        held_out.append(set(ids(out, "eli5/validation")))
        sizes.append(len(held_out[-1]))
        assert sizes[-1] + len(ids(out, "eli5/train")) == 200
    assert abs(sizes[0] - 40) <= 23  # binomial: 40 ± 4 × sqrt(200 × 0.2 × 0.8)
    assert abs(sizes[1] - 100) <= 28
    assert held_out[0] < held_out[1]
    assert held_out[1] != held_out[2]


# --- several sets ---


def test_full_is_the_union_mixed_and_made_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = plain(tmp_path)
    built("wiki", "--input", lines(tmp_path / "w", map(article, range(40))), "--out", out, "--config", config)
    assert not (out / "full").exists()
    for posts in (20, 30):
        built("eli5", "--input", lines(tmp_path / "e", map(post, range(posts))), "--out", out)
        for name in ("train", "validation"):
            parts = {part: side(out, f"{part}/{name}") for part in ("eli5", "wiki", "full")}
            key = json.dumps
            assert sorted(map(key, parts["full"])) == sorted(map(key, parts["eli5"] + parts["wiki"]))
        train = ids(out, "full/train")
        assert train == sorted(train, key=lambda identity: hashlib.sha256(identity.encode()).digest())
        made = checked(out)["sets"]["full"]
        assert made["read"] == 40 + posts == sum(one["records"] for one in made["inputs"])
        for one in made["inputs"]:
            assert one["sha256"] == hashlib.sha256((out / one["name"]).read_bytes()).hexdigest()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_no_question_nor_one_like_it_is_on_two_sides_of_anything(tmp_path: Path, share: float) -> None:
    """The same question, and one but for a word, in both sets and as a prompt of preferences."""
    plan = [words(number, 12) for number in range(30)]
    eli5 = [post(n, title=f"What is {text}?") for n, text in enumerate(plan)]
    wiki = [article(n, title=text.upper() if n % 2 else f"the {text}") for n, text in enumerate(plan)]
    prompts = [dialogue(n, prompt=f"\n\nHuman: what is {text} now\n\nAssistant:") for n, text in enumerate(plan)]
    out = tmp_path / "out"
    for name, made in (("eli5", eli5), ("wiki", wiki), ("preferences", prompts)):
        options = ("--config", plain(tmp_path), "--validation-share", share)
        built(name, "--input", lines(tmp_path / name, made), "--out", out, *options)
    where: dict[str, set[str]] = {text: set() for text in plan}
    for name in ("train", "validation"):
        harmless = out / "preferences" / ("harmlessness.jsonl" if name == "train" else "harmlessness.validation.jsonl")
        asked = [row["question"] for part in ("eli5", "wiki", "full") for row in side(out, f"{part}/{name}")]
        for question in [*asked, *(row["prompt"] for row in rows(harmless))]:
            (text,) = (text for text in plan if text in question.lower())
            where[text].add(name)
    assert all(len(sides) == 1 for sides in where.values())
    assert {name for sides in where.values() for name in sides} == {"train", "validation"}
    checked(out)


def test_a_set_that_is_added_later_gives_the_folder_of_both(tmp_path: Path) -> None:
    """Whichever came first: all sets are built together."""
    files = {
        "eli5": lines(tmp_path / "e", map(post, range(60))),
        "wiki": lines(tmp_path / "w", map(article, range(50))),
        "preferences": lines(tmp_path / "p", map(dialogue, range(40))),
    }
    for number, order in enumerate((["eli5", "wiki", "preferences"], ["preferences", "wiki", "eli5"])):
        for name in order:
            built(name, "--input", files[name], "--out", tmp_path / str(number), "--config", plain(tmp_path))
    assert contents(tmp_path / "0") == contents(tmp_path / "1")
    built("eli5", "--out", tmp_path / "1")  # again, of what was read
    assert contents(tmp_path / "0") == contents(tmp_path / "1")
    checked(tmp_path / "0")


def test_reading_a_set_again_replaces_it_alone(tmp_path: Path) -> None:
    out, config = tmp_path / "out", plain(tmp_path)
    built("eli5", "--input", lines(tmp_path / "e", map(post, range(20))), "--out", out, "--config", config)
    built("wiki", "--input", lines(tmp_path / "w", map(article, range(20))), "--out", out)
    before = contents(out)
    built("wiki", "--input", lines(tmp_path / "v", map(article, range(20, 50))), "--out", out)
    after = contents(out)
    changed = {name for name in after if before[name] != after[name]}
    assert not any(name.startswith(("eli5/", "candidates/eli5")) for name in changed)
    assert {"wiki/train.jsonl", "full/train.jsonl", "manifest.json"} < changed
    assert len(ids(out, "full/train")) + len(ids(out, "full/validation")) == 20 + 30


# --- what is left out ---


def test_the_filters_and_what_they_dropped(tmp_path: Path) -> None:
    offensive = post(
        5, answers={"text": ["You are a fucking idiot, and so is everybody who asks such a thing."], "score": [1]}
    )
    mail = post(6, answers={"text": ["Write to me at jane.doe@example.com, and I tell you all of it."], "score": [1]})
    easy = "The sky is blue because the air sends blue light to us from all sides, more than red light."
    good = post(7, title="Why is the sky so blue?", answers={"text": [easy], "score": [1]})
    short = post(8, answers={"text": ["Because."], "score": [1]})
    out = tmp_path / "out"
    built("eli5", "--input", lines(tmp_path / "in", [offensive, mail, good, short]), "--out", out)
    made = checked(out)
    drops = {drop["step"]: drop["reasons"] for drop in made["sets"]["eli5"]["funnel"] if drop["dropped"]}
    assert drops == {
        "length": {"answer under 10 words": 1},
        "pii": {"e-mail address in the answer": 1},
        "toxicity": {"offensive answer": 1},
    }
    steps = [drop["step"] for drop in made["sets"]["eli5"]["funnel"]]
    assert steps == [
        "reading",
        *("length", "pii", "language", "readability", "toxicity"),
        "near-duplicates",
        "contamination",
    ]
    assert [*ids(out, "eli5/train"), *ids(out, "eli5/validation")] == ["eli5-q7"]
    assert "jane.doe" not in json.dumps(made)  # masked in the examples


def test_a_set_of_which_nothing_is_left(tmp_path: Path) -> None:
    out, strict = tmp_path / "out", tmp_path / "strict.yaml"
    built("eli5", "--input", lines(tmp_path / "e", map(post, range(9))), "--out", out, "--config", plain(tmp_path))
    before = {name: data for name, data in contents(out).items() if not name.startswith("candidates/")}
    strict.write_text("filters: {order: [length], length: {min_answer_words: 100}}\n")
    message = refused("eli5", "--out", out, "--config", strict)
    assert message == "error: eli5: none of 9 pairs is left (dropped: 9 length); docs/filters.md, --config\n"
    refused("wiki", "--input", lines(tmp_path / "w", [article(1)]), "--out", out, "--config", strict)
    after = {name: data for name, data in contents(out).items() if not name.startswith("candidates/")}
    assert after == before


# --- preferences ---


def test_preferences_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = lines(tmp_path / "hh.jsonl", map(dialogue, range(30)))
    built("preferences", "--input", source, "--out", out, "--validation-share", 0.3)
    made = checked(out)
    assert made["sets"] == {}
    assert sorted(contents(out)) == [
        "candidates/harmlessness.json",
        "candidates/harmlessness.jsonl",
        "dataset_card.md",
        "manifest.json",
        "preferences/harmlessness.jsonl",
        "preferences/harmlessness.parquet",
        "preferences/harmlessness.validation.jsonl",
        "preferences/harmlessness.validation.parquet",
    ]
    train, validation = (rows(out / "preferences" / f"harmlessness{end}.jsonl") for end in ("", ".validation"))
    assert len(train) + len(validation) == 30
    assert list(train[0]) == ["prompt", "chosen", "rejected", "aspect", "margin", "source"]
    assert validation == [row for row in rows(out / "candidates" / "harmlessness.jsonl") if row not in train]
    for name, some in (("train", train), ("validation", validation)):
        assert {side_of(row["prompt"], share=0.3) for row in some} == {name}


def test_leads_ask_the_question_that_was_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    leads: list[Any] = [
        {
            "title": name,
            "simple_text": f"{name} is a small town at the blue sea.",
            "regular_text": f"{name} is a considerable municipality situated on the southwestern coast.",
        }
        for name in ("Ayr", "Oban")
    ]
    source = lines(tmp_path / "leads.jsonl", leads)
    built("wiki", "--input", source, "--out", out, "--config", plain(tmp_path, "near_duplicates: {of: none}"))
    first = rows(out / "candidates" / "wiki.jsonl")[0]["id"]
    asked = [{"id": first, "question": "Where is Ayr?", "model": "m", "prompt_hash": "h"}]
    lines(out / "candidates" / "questions.jsonl", asked)
    built("preferences", "--input", source, "--out", out)
    assert [row["prompt"] for row in rows(out / "candidates" / "simplicity.jsonl")] == [
        "Where is Ayr?",
        "What is Oban?",
    ]
    assert told(out)["preferences"]["simplicity"]["reading"]["pairs"] == {"swipe": 2}
