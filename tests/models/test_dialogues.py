"""A model of this machine as a service: the dialogue's prompt, what is told and when, and what makes other calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from s2eval.errors import UsageError
from s2eval.llm.calls import Call, Message, Outcome, Reply
from s2eval.models import loaded
from s2eval.models.dialogues import LocalService, open_local


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    yield
    loaded.release()


@pytest.fixture
def service(tiny_model: Path) -> LocalService:
    return open_local(str(tiny_model), "s2")


def call(service: LocalService, *texts: str, repeat: int = 0, temperature: float = 0.0) -> Call:
    messages = tuple(Message("assistant" if n % 2 else "user", text) for n, text in enumerate(texts))
    seed = repeat if temperature else None
    return Call(service.service, "tiny", messages, temperature, 8, seed, service.template.stop, repeat=repeat)


def run(service: LocalService, *calls: Call) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    service.run(calls, lambda one, outcome: found.update({one.key: outcome}))
    return found


def test_a_dialogue_in_the_template(service: LocalService) -> None:
    messages = (Message("user", "Why?"), Message("assistant", "Because."), Message("user", "And then?"))
    assert service.prompt(messages) == ("### Human: Why? ###Assistant: Because. ### Human: And then? ###Assistant:")
    system = Message("system", "Be a judge.")
    assert service.prompt((system, *messages[:1])) == "### Human: Be a judge.\n\nWhy? ###Assistant:"


def test_every_call_is_told_once(service: LocalService) -> None:
    calls = [call(service, "Why?"), call(service, "How?"), call(service, "Why?", "So.", "And?")]
    found = run(service, *calls)
    assert sorted(found) == sorted(one.key for one in calls)
    assert all(isinstance(outcome, Reply) for outcome in found.values())


def test_a_sampled_answer_depends_on_its_call_alone(service: LocalService) -> None:
    calls = [call(service, "Why?", repeat=n, temperature=1.0) for n in range(3)]
    together, alone = run(service, *calls), run(service, calls[2])
    assert alone[calls[2].key] == together[calls[2].key]  # as in a run that goes on after a kill
    assert len({outcome.text for outcome in together.values() if isinstance(outcome, Reply)}) > 1


def test_model_template_and_options_make_other_calls(tiny_model: Path, service: LocalService) -> None:
    other = open_local(str(tiny_model), "s2-space")
    assert other.service != service.service
    assert open_local(str(tiny_model), "s2", dtype="float64").service != service.service
    assert open_local(str(tiny_model), "s2").service == service.service


def test_no_schema(service: LocalService) -> None:
    with pytest.raises(UsageError, match="follows no JSON schema"):
        service.run([Call(service.service, "tiny", (Message("user", "?"),), 0.0, 8, schema="{}")], lambda *_: None)


def test_an_answer_at_the_limit_is_cut(service: LocalService) -> None:
    outcomes = run(service, call(service, "Why is the sky blue?")).values()
    assert [outcome.finish for outcome in outcomes if isinstance(outcome, Reply)] == [
        "length"
    ]  # it never ends by itself
