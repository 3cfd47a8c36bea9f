"""Names that become folders: usable everywhere, and never two names for one folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.errors import UsageError
from s2eval.files import names


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "A"), ("\u00e9", "e\u0301"), ("\u00c9", "e\u0301"), ("ß", "SS"), ("ﬁ", "fi"), ("a", "a."), ("a", "a\u200b")],
)
def test_names_that_some_systems_take_for_one(one: str, other: str) -> None:
    assert names.folded(one) == names.folded(other)
    assert names.clashes(["b", one, other, one]) == [f"{one!r} and {other!r}"]


def test_others_are_two() -> None:
    assert names.clashes(["a", "b", "a", "a-", "à", "gpt-4", "gpt_4"]) == []


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a.", ".", "..", "a/b", "a\\b", "a:b", "a?", "a\0", "a\n", "NUL", "nul.txt", "x" * 181, "é" * 91],
)
def test_names_that_no_folder_may_have(name: str) -> None:
    assert names.problem(name)


@given(st.text(min_size=1))
def test_what_is_made_usable_has_no_such_ending(name: str) -> None:
    made = names.usable(name)
    assert len(made.encode("utf-8", "surrogatepass")) <= names.LONGEST + 1
    assert not made.endswith((".", " "))
    assert names.usable(made) == made or made.startswith("_")


def test_a_folder_beside_another_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "Tiny").mkdir()
    names.check_folder(tmp_path / "Tiny")
    names.check_folder(tmp_path / "small")
    names.check_folder(tmp_path / "nothing" / "here")
    with pytest.raises(UsageError, match="'Tiny' already, which differs by case or Unicode form only"):
        names.check_folder(tmp_path / "tiny")
    with pytest.raises(UsageError, match="device on Windows"):
        names.check_folder(tmp_path / "aux")
