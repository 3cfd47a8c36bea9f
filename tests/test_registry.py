"""s2eval.registry: our entries, other packages' entries, and names that nothing has."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from s2eval.errors import PrerequisiteError, UnknownNameError, UsageError
from s2eval.registry import Registry


@dataclass(frozen=True)
class Colour:
    name: str


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package `paint` whose entry points are to be written."""
    (tmp_path / "paint.py").write_text("from tests.test_registry import Colour\nBLUE = Colour('blue')\n")
    info = tmp_path / "paint-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paint\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "paint", raising=False)
    return info / "entry_points.txt"


def test_entries_keep_their_order_and_are_found_by_name() -> None:
    colours = Registry("colour", [Colour("red"), Colour("green")])
    assert list(colours) == ["red", "green"]
    assert colours.find("green") == Colour("green")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    colours = Registry("colour", [Colour("red"), Colour("green")], see="s2eval ls colours")
    with pytest.raises(UnknownNameError, match=r"unknown colour 'gren'; did you mean 'green'\? See: s2eval ls colours"):
        colours.find("gren")


def test_two_entries_of_one_name_are_an_error_and_the_same_entry_twice_is_not() -> None:
    red = Colour("red")
    colours = Registry("colour", [red])
    colours.register(red)
    with pytest.raises(UsageError, match="two entries are named colour 'red'"):
        colours.register(Colour("red"))


def test_another_package_adds_an_entry_by_an_entry_point(package: Path) -> None:
    package.write_text("[s2test.colours]\nblue = paint:BLUE\n")
    colours = Registry("colour", [Colour("red")], group="s2test.colours")
    assert [entry.name for entry in colours.values()] == ["red", "blue"]


def test_an_entry_point_that_fails_says_which_package_to_change(package: Path) -> None:
    package.write_text("[s2test.colours]\ngreen = paint:GREEN\n")
    colours = Registry("colour", [Colour("red")], group="s2test.colours")
    assert colours["red"] == Colour("red")  # needs no other package
    with pytest.raises(PrerequisiteError, match="green = paint:GREEN of the package paint cannot be loaded"):
        list(colours)
