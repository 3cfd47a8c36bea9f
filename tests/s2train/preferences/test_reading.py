"""Inputs, told by their fields, become candidates of every aspect that they serve, each pair once."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import DataError
from s2train.data import layout
from s2train.data.engine import Engine, Local
from s2train.data.preferences import (
    PreferenceReading,
    PreferenceSettings,
    kind_of,
    preference_sets,
    read_preferences,
    turns_of,
)
from s2train.data.preferences.dialogues import EMPTY_TURN, MARK_INSIDE, NO_DIALOGUE
from s2train.data.preferences.reading import DUPLICATE
from s2train.data.preferences.records import SAME
from s2train.data.preferences.votes import CLOSE
from tests.s2train.data.folders import contents, dialogue, lines, rows
from tests.s2train.preferences.posts import EASY, HARD, helpful, record

LEAD = {
    "title": "Ayr",
    "simple_text": "Ayr is a small town at the blue sea.",
    "regular_text": "Ayr is a considerable municipality situated on the southwestern coast.",
}


def read(inputs: Sequence[Path], out: Path, engine: Engine | None = None, **settings: Any) -> list[PreferenceReading]:
    chosen = PreferenceSettings.model_validate(settings)
    return read_preferences(list(map(str, inputs)), out, chosen, engine or Local(), {"Ayr": "Where is Ayr?"})


def candidates(out: Path, aspect: str) -> list[dict[str, Any]]:
    return rows(layout.candidates(out, aspect))


def posts(*made: Any) -> list[dict[str, Any]]:
    return [one.model_dump() for one in made]


@pytest.fixture
def eli5(tmp_path: Path) -> Path:
    """A post with a pair for helpfulness, and one with a pair for simplicity."""
    return lines(tmp_path / "eli5.jsonl", posts(helpful(10, 40), record((HARD, 7), (EASY, 7))))


def test_an_input_is_known_by_its_fields(tmp_path: Path, eli5: Path) -> None:
    assert kind_of(str(eli5)) == "eli5"
    assert kind_of(str(lines(tmp_path / "leads", [LEAD]))) == "leads"
    assert kind_of(str(lines(tmp_path / "hh", [dialogue(1)]))) == "hh"
    assert kind_of(str(lines(tmp_path / "published", [{"chosen": "\n\nHuman: A", "rejected": "\n\nHuman: A"}]))) == "hh"
    with pytest.raises(DataError, match=r"no preferences can be made of records with a, b\. Expected: answers, title"):
        kind_of(str(lines(tmp_path / "others", [{"a": 1, "b": 2}])))


def test_every_aspect_has_a_file_with_its_sources_in_the_order_of_the_inputs(tmp_path: Path, eli5: Path) -> None:
    out = tmp_path / "out"
    leads, hh = lines(tmp_path / "leads", [LEAD]), lines(tmp_path / "hh", map(dialogue, range(3)))
    helpfulness, simplicity, harmlessness = read([eli5, leads, hh], out)
    assert (helpfulness.aspect, simplicity.aspect, harmlessness.aspect) == (
        "helpfulness",
        "simplicity",
        "harmlessness",
    )
    assert (helpfulness.candidates, helpfulness.refused) == (2, {CLOSE: 1})  # 7 against 7
    assert simplicity.pairs == {"reddit/explainlikeimfive": 1, "swipe": 1}
    assert [one["name"] for one in simplicity.inputs] == ["eli5.jsonl", "leads"]
    assert [row["prompt"] for row in candidates(out, "simplicity")] == ["Why is the sky blue?", "Where is Ayr?"]
    assert harmlessness.pairs == {"hh-rlhf": 3}
    assert [line.split() for line in harmlessness.lines()][-1] == ["=", "hh-rlhf", "3"]
    found = preference_sets(out)
    assert [one.reading for one in found] == [helpfulness, simplicity, harmlessness]
    assert [line.model_dump() for line in found[1].lines()] == candidates(out, "simplicity")
    (pair, _) = found[1].pairs()
    assert (pair.id, pair.question, pair.answer) == ("simplicity-0", "Why is the sky blue?", f"{EASY}\n{HARD}")


def test_other_aspects_stay_as_they_are(tmp_path: Path, eli5: Path) -> None:
    out = tmp_path / "out"
    read([eli5], out)
    before = contents(out)
    read([lines(tmp_path / "hh", [dialogue(1)])], out)
    after = contents(out)
    assert {name for name in after if after[name] != before.get(name)} == {
        "candidates/harmlessness.json",
        "candidates/harmlessness.jsonl",
    }


def test_a_pair_that_comes_twice_is_written_once_in_whichever_file(tmp_path: Path) -> None:
    one = lines(tmp_path / "one", [dialogue(1), dialogue(2), dialogue(1)])
    two = lines(tmp_path / "two", [dialogue(2), dialogue(3)])
    (reading,) = read([one, two], tmp_path)
    assert (reading.pairs, reading.refused, reading.candidates) == ({"hh-rlhf": 3}, {DUPLICATE: 2}, 5)
    chosen = [row["chosen"] for row in candidates(tmp_path, "harmlessness")]
    assert chosen == [dialogue(number)["chosen"].strip() for number in (1, 2, 3)]


def test_thresholds_are_those_of_the_configuration(tmp_path: Path) -> None:
    close = lines(tmp_path / "close", posts(helpful(10, 14), record((HARD, 7), (EASY, 7))))
    with pytest.raises(
        DataError, match=r"close: no helpfulness pair in 2 records \(refused: \{'votes too close': 2\}\)"
    ):
        read([close], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    helpfulness, _ = read([close], tmp_path / "out", votes={"min_ratio": 1.3, "min_difference": 4})
    assert helpfulness.pairs == {"reddit/explainlikeimfive": 1}


def test_what_goes_wrong_leaves_the_candidates_as_they_were(tmp_path: Path) -> None:
    out = tmp_path / "out"
    read([lines(tmp_path / "hh", [dialogue(1)])], out)
    before = contents(out)
    same = lines(tmp_path / "same", [dialogue(2, rejected=dialogue(2)["chosen"])])
    with pytest.raises(DataError, match=rf"same: no harmlessness pair in 1 records \(refused: {{'{SAME}': 1}}\)"):
        read([same], out)
    broken = lines(tmp_path / "broken", [dialogue(3)])
    broken.write_text(broken.read_text(encoding="utf-8") + '{"chosen": "No."\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"broken:2: broken JSON"):
        read([broken], out)
    assert contents(out) == before


def test_candidates_that_lost_their_other_half(tmp_path: Path) -> None:
    """A run may be killed while it puts the two files in place."""
    read([lines(tmp_path / "hh", [dialogue(1), dialogue(2)])], tmp_path)
    path = layout.candidates(tmp_path, "harmlessness")
    lines(path, [json.loads(path.read_bytes().splitlines()[0])])
    (shelf,) = preference_sets(tmp_path)
    with pytest.raises(DataError, match=r"not the file that harmlessness\.json describes; read it again, with --input"):
        list(shelf.lines())
    path.with_suffix(".json").unlink()
    with pytest.raises(DataError, match=r"cannot read .*harmlessness\.json: .* read it again, with --input"):
        preference_sets(tmp_path)


def test_real_records(tmp_path: Path, shared_data: Path) -> None:
    """Of all 5,411 posts: 2,355 pairs for helpfulness (14,202 were the wrong way round in time), 495 for simplicity."""
    with (shared_data / "eli5" / "explainlikeimfive.jsonl").open(encoding="utf-8") as file:
        some = lines(tmp_path / "eli5.jsonl", map(json.loads, itertools.islice(file, 400)))
    leads = shared_data / "simplewiki" / "swipe_pairs.jsonl"
    hh = shared_data / "preferences" / "hh_harmless_base.jsonl"
    readings = {one.aspect: one for one in read([some, leads, hh], tmp_path)}
    assert readings["simplicity"].pairs["swipe"] == 561
    assert readings["harmlessness"].pairs == {"hh-rlhf": 1557}
    assert readings["harmlessness"].refused == {EMPTY_TURN: 4, MARK_INSIDE: 35, NO_DIALOGUE: 4}
    for aspect, reading in readings.items():
        assert reading.candidates == sum(reading.refused.values()) + sum(reading.pairs.values())
        found = candidates(tmp_path, aspect)
        assert len(found) == sum(reading.pairs.values()) > 50
        assert reading.sha256 == hashlib.sha256(layout.candidates(tmp_path, aspect).read_bytes()).hexdigest()
        for row in found:
            assert list(row) == ["prompt", "chosen", "rejected", "aspect", "margin", "source"]
            assert row["aspect"] == aspect
            assert row["margin"] >= 0
            assert row["chosen"].strip() == row["chosen"] != row["rejected"]
            assert turns_of(row["prompt"])[-1].answer is None


def test_two_processes_read_the_same(tmp_path: Path) -> None:
    made = posts(*(helpful(n % 60, n % 7 + 1, title=f"Why {n}?") for n in range(350)), record((HARD, 7), (EASY, 7)))
    source = lines(tmp_path / "in.jsonl", made)
    one, two = (read([source], tmp_path / str(number), Local(number)) for number in (1, 2))
    assert one == two
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
