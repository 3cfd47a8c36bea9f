"""Names of models whose results differ in their settings, and which of several repeats is used."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.errors import UsageError
from s2eval.identity import Identity, choose, name_models, without_repeats

ARC, MMLU = ("arc", "", ""), ("mmlu", "", "")


def names(*results: Identity) -> list[str]:
    return name_models(list(results))


def test_what_differs_names_the_model() -> None:
    own = [{"revision": "step1000", "commit": "commit ab"}, {"revision": "step143000", "commit": "commit cd"}]
    assert names(*(Identity("m", ARC, settings) for settings in own)) == ["m (step1000)", "m (step143000)"]


def test_what_is_the_same_or_a_default_is_not_named() -> None:
    full, limited = {"dtype": "float16"}, {"dtype": "float16", "limit": "limit 10"}
    assert names(Identity("m", ARC, full), Identity("m", ARC, limited)) == ["m", "m (limit 10)"]
    assert names(Identity("m", ARC, full), Identity("n", ARC, limited)) == ["m", "n"]


def test_a_commit_is_named_where_the_revision_is_the_same() -> None:
    first, second = {"commit": "commit aa"}, {"commit": "commit bb"}
    assert names(Identity("m", ARC, first), Identity("m", ARC, second)) == ["m (commit aa)", "m (commit bb)"]
    both = [{"revision": "v1", **first}, {"revision": "v1", **second}, {"revision": "v2", **first}]
    assert names(*(Identity("m", ARC, one) for one in both)) == [
        "m (v1, commit aa)",
        "m (v1, commit bb)",
        "m (v2, commit aa)",
    ]


def test_settings_of_different_tasks_may_differ() -> None:
    arc, mmlu = {"shots": "25 shots"}, {"shots": "5 shots"}
    assert names(Identity("m", ARC, {}, arc), Identity("m", MMLU, {}, mmlu)) == ["m", "m"]
    again = Identity("m", ARC, {}, {"shots": "0 shots"})
    assert names(Identity("m", ARC, {}, arc), again) == ["m (25 shots)", "m (0 shots)"]


def test_another_model_on_another_task_is_not_the_same_row() -> None:
    """Else an average would be made of the ARC of one revision and the MMLU of the other."""
    one, other = Identity("m", ARC, {"revision": "v1"}), Identity("m", MMLU, {"revision": "v2"})
    assert names(one, other) == ["m (v1)", "m (v2)"]


def test_two_runs_in_two_folders_stay_two() -> None:
    one, other = Identity("m", ARC, folder="runs/a"), Identity("m", ARC, folder="runs/b/m")
    assert names(one, other) == ["runs/a/m", "runs/b/m"]
    assert names(one, Identity("m", MMLU, folder="runs/b")) == ["m", "m"]  # one model, its tasks in two folders


def test_no_two_models_get_one_name() -> None:
    results = [
        Identity("m", ARC, {"revision": "v1"}),
        Identity("m", ARC, {"dtype": "v1"}),
        Identity("m (v1)", ARC),
    ]
    assert names(*results) == ["m (v1)", "m (v1) #2", "m (v1) #3"]


def test_unknown_settings_are_those_of_the_only_model_of_that_name() -> None:
    run = Identity("m", ARC, {"model": "org/m"}, folder="runs/tasks")
    judged = Identity("m", ("mtsbench", "gpt-4", ""), None, folder="runs/judged")
    assert names(run, judged) == ["m", "m"]
    other = Identity("m", MMLU, {"model": "org/m", "limit": "limit 10"}, folder="runs/more")
    assert names(run, other, judged) == ["m", "m (limit 10)", "m"]
    again = Identity("m", ARC, None, folder="runs/kept")  # such as scores.csv alone
    assert names(run, again) == ["runs/tasks/m", "runs/kept/m"]


few = st.sampled_from(["", "a", "b", "m"])
settings_ = st.dictionaries(st.sampled_from(["revision", "commit", "dtype"]), st.sampled_from(["a", "b"]))
identities = st.builds(
    Identity,
    model=st.sampled_from(["m", "m (a)", "a/m"]),
    part=st.sampled_from([ARC, MMLU]),
    settings=st.none() | settings_,
    task_settings=settings_,
    folder=few,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(identities, max_size=6))
def test_results_of_a_task_share_a_name_only_if_they_are_repeats(results: list[Identity]) -> None:
    found = name_models(results)
    for one, name in zip(results, found, strict=True):
        for other, its_name in zip(results, found, strict=True):
            if one.part == other.part and one.key != other.key:
                assert name != its_name
            if one.key == other.key:
                assert name == its_name


def test_the_repeat_of_highest_rank_is_used() -> None:
    results = [
        Identity("m", ARC, {"dtype": "a"}),
        Identity("m", ARC, {"dtype": "b"}),
        Identity("m", ARC, {"dtype": "a"}),
    ]
    used, left_out = without_repeats(range(3), lambda at: results[at], lambda at: at)
    assert (used, left_out) == ([2, 1], [(0, 2)])


def test_a_name_of_several_models_is_refused_with_all_of_them() -> None:
    shown = {"m (v1)": "m", "m (v2)": "m", "n (limit 3)": "n"}
    assert choose("m (v2)", shown) == "m (v2)"
    assert choose("n", shown) == "n (limit 3)"
    assert choose("unknown", shown) == "unknown"
    with pytest.raises(UsageError) as caught:
        choose("m", shown)
    assert str(caught.value).splitlines() == [
        "'m' names 2 models; write one of them in full:",
        "  m (v1)",
        "  m (v2)",
    ]
