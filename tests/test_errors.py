"""What a user reads when something is wrong, and the exit code that goes with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval import errors
from s2eval.errors import ConfigError, S2Error, UnknownNameError, nearest

EXIT_CODES = {  # INTERFACES: 1 failed; 2 wrong usage, configuration or data; 3 finished with failed items
    "S2Error": 1,
    "PrerequisiteError": 1,
    "ServiceError": 1,
    "DisagreementError": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "DataError": 2,
    "UnknownNameError": 2,
    "IncompleteError": 3,
    "BudgetError": 3,
    "InterruptedRunError": 130,
}


def test_every_exception_has_its_exit_code() -> None:
    found = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, S2Error)
    }
    assert found == EXIT_CODES


def test_the_tree_on_the_modules_page_is_complete() -> None:
    page = errors.__doc__ or ""
    below_usage = {
        "ConfigError",
        "DataError",
        "UnknownNameError",
        "BudgetError",
    }  # drawn below their base, without a code
    for name, code in EXIT_CODES.items():
        assert (f" {name} " if name in below_usage else f" {name} ({code})") in page


def test_an_unknown_name_is_told_with_the_nearest_and_where_to_look() -> None:
    error = UnknownNameError("judge", "mtbnch", ["mtsbench", "mtbench", "arena"], see="s2eval ls judges")
    assert str(error) == "unknown judge 'mtbnch'; did you mean 'mtbench'? See: s2eval ls judges"
    assert error.name == "mtbnch"


def test_an_unknown_name_far_from_all_is_told_without_a_guess() -> None:
    assert str(UnknownNameError("task", "zzz", ["s2_eli5"], see="s2eval ls tasks")) == (
        "unknown task 'zzz'. See: s2eval ls tasks"
    )
    assert str(UnknownNameError("task", "zzz", [])) == "unknown task 'zzz'."


def test_nearest_does_not_mind_case_and_gives_the_name_as_it_is_known() -> None:
    assert nearest("llama-2-7B-eli5", ["Llama-2-7b-wiki", "Llama-2-7b-ELI5"]) == "Llama-2-7b-ELI5"


def test_nearest_is_none_where_nothing_is_near() -> None:
    assert nearest("rouge", ["bertscore", "fkg"]) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.data())
def test_a_known_name_is_nearest_to_itself(known: list[str], pick: st.DataObject) -> None:
    name = pick.draw(st.sampled_from(known))
    found = nearest(name, known)
    assert found in known
    assert found.casefold() == name.casefold()  # of names that differ by case only, any


def test_several_problems_are_told_together() -> None:
    error = ConfigError("run.yaml", (problem for problem in ["models: missing", "limt: unknown key"]))
    assert str(error) == "run.yaml: 2 errors\n  models: missing\n  limt: unknown key"
    assert error.problems == ("models: missing", "limt: unknown key")
    assert error.where == "run.yaml"


def test_one_problem_is_one_error() -> None:
    assert str(ConfigError("run.yaml", ["models: missing"])) == "run.yaml: 1 error\n  models: missing"


@pytest.mark.parametrize("name", EXIT_CODES)
def test_all_are_caught_as_one(name: str) -> None:
    assert issubclass(getattr(errors, name), S2Error)
