"""YAML as people write it, and as attackers do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from s2eval import config
from s2eval.errors import ConfigError
from s2eval.files import yamlfile, yamltext


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rate: float = 1.0
    count: int = 1
    name: str = "n"
    flag: bool = False
    kind: Literal["off", "all"] = "all"
    several: list[int] = Field(default_factory=list)
    either: str | list[str] | None = None
    by_name: dict[str, int] = Field(default_factory=dict)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = "n"
    limit: int | None = None
    share: float | None = None
    deep: dict[str, Inner] = Field(default_factory=dict)
    many: list[Inner] = Field(default_factory=list)
    free: dict[str, Any] = Field(default_factory=dict)


def load(folder: Path, text: str) -> Outer:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return yamlfile.load(path, Outer, "name:")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return list(caught.value.problems)


# --- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5), ("1E5", 1e5), ("-2e+3", -2000.0), ("1.5e3", 1500.0), (".5", 0.5), ("1.", 1.0), ("0", 0),
        ("-7", -7), ("1_000", 1000), ("0x1F", 31), (".inf", float("inf")), ("12:30", "12:30"), ("010", "010"),
        ("007", "007"), ("e5", "e5"), ("1e", "1e"), ("'1e-5'", "1e-5"), ("true", True), ("off", False), ("~", None),
        ("1.2.3", "1.2.3"), ("2e5x", "2e5x"),
    ],
)  # fmt: skip
def test_what_a_plain_scalar_is(text: str, value: object) -> None:
    found = yamltext.parse(text, "c.yaml").value
    assert found == value
    assert type(found) is type(value)


def test_a_number_with_an_exponent_is_one_at_any_depth(tmp_path: Path) -> None:
    made = load(tmp_path, "share: 1e-5\ndeep: {a: {rate: 2e-4}}\nmany: [{rate: 1e3}]\nfree: {x: [{y: 1e-8}]}\n")
    assert (made.share, made.deep["a"].rate, made.many[0].rate) == (1e-5, 2e-4, 1000.0)
    assert made.free == {"x": [{"y": 1e-8}]}
    assert load(tmp_path, "limit: 1.0").limit == 1
    assert load(tmp_path, "limit: 1e3").limit == 1000
    assert problems(tmp_path, "limit: 1.5")[0].startswith("limit: ")


_LETTERS = st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029")  # which PyYAML folds


@settings(max_examples=200, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64) + 1, 2**64 - 1) | st.floats(allow_nan=False) | st.text(_LETTERS)
    | st.sampled_from(["1e-5", "off", "12:30", "007", "null", "2024-01-01", "<<", "=", "a: b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(_LETTERS, max_size=3), inner, max_size=3),
    max_leaves=6,
))  # fmt: skip
def test_what_is_dumped_is_read_back_by_either_version(value: Any) -> None:
    text = yamltext.dump(value)
    assert yamltext.parse(text, "c.yaml").value == value
    assert yaml.safe_load(text) == value


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["off", "no", "yes", "on", "No", "TRUE"])
def test_a_word_that_is_a_flag_to_yaml_is_to_be_quoted(tmp_path: Path, word: str) -> None:
    value = str(yaml.safe_load(word)).lower()
    wanted = f'{word} is {value} to YAML, and a text is expected: put it in quotes, "{word}"'
    assert problems(tmp_path, f"limit: 1\nname: {word}\n") == [f"name: {wanted} (line 2)"]
    assert problems(tmp_path, f"many:\n  - name: {word}\n    kind: {word}\n") == [
        f"many.0.name: {wanted} (line 2)",
        f"many.0.kind: {wanted} (line 3)",
    ]
    assert problems(tmp_path, f"deep: {{{word}: {{}}}}")[0].endswith(f'put it in quotes, "{word}" (line 1)')
    assert problems(tmp_path, f"{word}: 1")[0].endswith(f'put it in quotes, "{word}" (line 1)')
    assert load(tmp_path, f"name: '{word}'\nmany: [{{flag: {word}}}]").name == word


def test_a_number_or_a_date_for_a_text_is_to_be_quoted(tmp_path: Path) -> None:
    assert problems(tmp_path, "name: 1e3") == [
        'name: 1e3 is a number to YAML, and a text is expected: put it in quotes, "1e3" (line 1)'
    ]
    assert problems(tmp_path, "name: 2024-01-01") == [
        'name: 2024-01-01 is a date to YAML, and a text is expected: put it in quotes, "2024-01-01" (line 1)'
    ]
    assert load(tmp_path, "name: 007").name == "007"
    assert load(tmp_path, "name: 12:30").name == "12:30"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("limit: true", "limit: true is no number (line 1)"),
        ("name: a\nlimit: off", "limit: off is no number (line 2)"),
        ("share: yes", "share: yes is no number (line 1)"),
        ("deep: {a: {count: true}}", "deep.a.count: true is no number (line 1)"),
        ("many:\n  - rate: false", "many.0.rate: false is no number (line 2)"),
        ("many: [{several: [1, true]}]", "many.0.several.1: true is no number (line 1)"),
        ("many: [{by_name: {a: on}}]", "many.0.by_name.a: on is no number (line 1)"),
    ],
)
def test_a_flag_is_no_number(tmp_path: Path, text: str, where: str) -> None:
    assert problems(tmp_path, text) == [where]


def test_flags_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("models: [{model: a, seed: true, batch_size: true}]\ntasks: [t]\nlimit: true\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert sorted(caught.value.problems) == [
        "limit: true is no number (line 3)",
        "models.0.batch_size: true is no number (line 1)",
        "models.0.seed: true is no number (line 1)",
    ]


def test_names_in_the_place_of_a_section(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("models: [off, 007]\ntasks: [t]\njudges:\n  - no\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    quoted = '{} is false to YAML, and a text is expected: put it in quotes, "{}" (line {})'
    assert [text for text in caught.value.problems if "quotes" in text] == [
        f"models.0: {quoted.format('off', 'off', 1)}",
        f"judges.0: {quoted.format('no', 'no', 4)}",
    ]


# --- attacks -----------------------------------------------------------------------------------------------------

BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{BOMB}metrics: *i\n", "line 5: more than 100,000 values, where aliases (*name) are written out"),
        (f"{BOMB}models: [{{model: *i}}]\n", "line 5: more than 100,000 values"),
        ("a: &a {x: 1}\n" + "b: &b {<<: [" + ",".join(["*a"] * 60_000) + "]}", "line 2: more than "),
        ("a: " + "[" * 3000 + "]" * 3000, "line 1: more than 64 levels in one another"),
        ("a: " + "{a: " * 3000 + "}" * 3000, "line 1: more than 64 levels in one another"),
        ("- " * 3000 + "x", "line 1: more than 64 levels in one another"),
        ("\n".join(" " * n + "a:" for n in range(200)), "line 64: more than 64 levels in one another"),
        ("models: [a]\ntasks: [t]\nmodels: [b]\n", "line 3: the key 'models' stands there twice, first in line 1"),
        ("models: [{model: a, model: b}]\n", "line 1: the key 'model' stands there twice, first in line 1"),
        ("a: &x [*x]", "line 1: *x stands inside of itself"),
        ("a: &a\n  <<: *a\n", "line 2: *a stands inside of itself"),
        ("[1, " * 20_000, "line 1: more than 64 levels"),
        ("- 1\n" * 40_000, "line 30001: more than 30,000 values"),
        ("a: " + "x" * (1 << 20), "1,048,579 characters; a configuration has 1,048,576 at most"),
        ("limit: " + "9" * 6000, "line 1: a number beyond 64 bits"),
        ("a: 1\nlimit: 0x" + "f" * 6000, "line 2: a number beyond 64 bits"),
        ("name: \0", "not YAML: unacceptable character #x0000"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML: line 1: could not determine a constructor for the tag"),
    ],
)
def test_what_no_configuration_holds_is_refused_quickly(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(problem)
    assert time.perf_counter() - started < 60  # seconds where a bomb would take days


def test_aliases_and_merges_of_ordinary_files(tmp_path: Path) -> None:
    made = load(
        tmp_path,
        "deep:\n  one: &one {rate: 2e-4, count: 3}\n  two: {<<: *one, count: 4}\nmany: [&x {<<: *one}, *x]\n",
    )
    assert (made.deep["two"].rate, made.deep["two"].count, made.many[1].count) == (2e-4, 4, 3)


def test_a_thousand_errors_are_a_short_message(tmp_path: Path) -> None:
    found = problems(tmp_path, "many: [" + ",".join(["{count: x}"] * 1000) + "]")
    assert len(found) == 41
    assert found[-1] == "… and 960 more"


@pytest.mark.parametrize("text", ["many: []\0", "\x07", "many: [\ud800]"])
def test_a_character_that_no_yaml_may_have_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="not YAML: "):
        yamltext.parse(text, "run.yaml")
