"""Names that servers report for the model that answered."""

from __future__ import annotations

import pytest

from s2eval.llm.served import note, same_family, served


@pytest.mark.parametrize(
    ("asked", "reported", "same"),
    [
        ("gpt-4", "gpt-4-0613", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", True),
        ("claude-3-5-sonnet", "anthropic/claude-3-5-sonnet-20241022", True),
        ("gemini-1.5-pro", "models/gemini-1.5-pro-002", True),
        ("GPT-4", "gpt-4-latest", True),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4", "gpt-4-turbo", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4", "gpt-3.5-turbo-0613", False),
    ],
)
def test_dated_versions_are_the_same_family(asked: str, reported: str, same: bool) -> None:
    assert same_family(asked, reported) is same
    assert same_family(reported, asked) is same


def test_what_is_noted() -> None:
    assert served("gpt-4", ["gpt-4", "", "gpt-4"]) == {}
    names = served("gpt-4", ["gpt-4-0613", "llama", "llama", ""])
    assert names == {"gpt-4-0613": 1, "llama": 2}
    assert note("gpt-4", names) == (
        "`gpt-4` was answered by `gpt-4-0613`; 2 replies to `gpt-4` came from another model (`llama` 2)"
    )
