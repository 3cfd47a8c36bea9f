"""What a configuration may say: all that is wrong with one is told at once, with the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from s2eval.errors import ConfigError
from s2train.data.config import DataConfig, load
from tests.s2train.data.folders import article, built, lines, post, refused, told


def config(folder: Path, text: str) -> Path:
    path = folder / "data.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        load(config(folder, text))
    return raised.value.problems


def test_every_key_has_a_default_and_goes_round_through_json(tmp_path: Path) -> None:
    path = config(tmp_path, "{}")
    assert load(path) == DataConfig() == DataConfig.model_validate_json(DataConfig().model_dump_json())
    assert load(config(tmp_path, "split: {seed: 3}\nreddit: {subreddits: [aww]}\n")) == DataConfig.model_validate(
        {"split": {"seed": 3}, "reddit": {"subreddits": ("aww",)}}
    )
    assert DataConfig().split.validation_share == 0.1
    with pytest.raises(ValidationError):
        DataConfig().split.seed = 4  # pyright: ignore[reportAttributeAccessIssue]


def test_unknown_keys_are_told_all_at_once_with_the_nearest(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "filter: {}\nsplit: {validation_shere: 0.2}\nfilters: {lenght: {}, length: {min_answer_word: 3}}\n"
        "preferences: {votes: {min_ration: 2}}\nreddit: {subreddit: [aww]}\n",
    )
    assert set(found) == {
        "filter: unknown key; did you mean 'filters'?",
        "split.validation_shere: unknown key; did you mean 'validation_share'?",
        "filters.lenght: unknown key; did you mean 'length'?",
        "filters.length.min_answer_word: unknown key; did you mean 'min_answer_words'?",
        "preferences.votes.min_ration: unknown key; did you mean 'min_ratio'?",
        "reddit.subreddit: unknown key; did you mean 'subreddits'?",
    }


def test_wrong_values_are_told_beside_unknown_keys(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "split: {validation_share: 2, sede: 1}\nnear_duplicates: {of: answers, threshold: 0.5}\n"
        "filters: {order: [lenght]}\nreddit: {subreddits: [r/aww]}\nwiki: {min_words: many}\n",
    )
    keys = {line.partition(": ")[0]: line.partition(": ")[2] for line in found}
    assert keys["split.validation_share"] == "Input should be less than or equal to 1"
    assert keys["split.sede"] == "unknown key; did you mean 'seed'?"
    assert keys["near_duplicates.of"] == "unknown name 'answers'; did you mean 'answer'?"
    assert keys["near_duplicates.threshold"] == "Input should be greater than or equal to 0.8"
    assert keys["filters.order"] == "unknown filter 'lenght'; did you mean 'length'?"
    assert keys["reddit.subreddits.0"].startswith("String should match pattern")
    assert keys["wiki.min_words"].startswith("Input should be a valid integer")
    assert len(found) == 7
    assert problems(tmp_path, "reddit: {subreddits: []}") == ("reddit.subreddits: no subreddit is named",)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "expected keys such as filters:"), ("- a", "expected keys such as"), ("a: [", "not YAML: ")],
)
def test_what_is_no_mapping(tmp_path: Path, text: str, told: str) -> None:
    assert problems(tmp_path, text)[0].startswith(told)


def test_the_command_tells_them_and_reads_nothing(tmp_path: Path) -> None:
    path = config(tmp_path, "filter: {}\nsplits: {}\n")
    message = refused("eli5", "--input", tmp_path / "missing", "--out", tmp_path / "out", "--config", path)
    assert message.startswith(f"error: {path}: 2 errors\n  filter: unknown key; did you mean 'filters'?\n  splits: ")
    assert not (tmp_path / "out").exists()
    message = refused("eli5", "--input", "x", "--out", tmp_path / "out", "--config", tmp_path / "none.yaml")
    assert message == f"error: {tmp_path / 'none.yaml'}: 1 error\n  No such file or directory\n"


def test_without_one_the_folders_own_is_taken(tmp_path: Path) -> None:
    out = tmp_path / "out"
    own = config(tmp_path, "filters: {order: []}\nsplit: {validation_share: 0.5, seed: 7}\nwiki: {min_words: 3}\n")
    built("eli5", "--input", lines(tmp_path / "e", map(post, range(20))), "--out", out, "--config", own)
    assert told(out)["configuration"] == load(own).model_dump(mode="json")
    built("wiki", "--input", lines(tmp_path / "w", map(article, range(20))), "--out", out, "--seed", 8)
    expected = load(own).model_dump(mode="json")
    expected["split"]["seed"] = 8  # of the command; the rest is the folder's
    assert told(out)["configuration"] == expected
    built("eli5", "--out", out)
    assert told(out)["configuration"] == expected
    built("eli5", "--out", out, "--config", config(tmp_path, "filters: {order: []}\n"))
    assert told(out)["configuration"]["split"] == {"validation_share": 0.1, "seed": 0}


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"sets": {}}')
    source = lines(tmp_path / "in", [post(1)])
    message = refused("eli5", "--input", source, "--out", tmp_path / "out")
    assert "another version's? Move the folder away, and build again" in message
