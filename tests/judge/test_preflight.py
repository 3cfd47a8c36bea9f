"""What `s2eval mtbench` knows before anything is answered: servers, their models, keys, a judge's temperature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.judge.commands import Outcome, command, judged, serve
from tests.llm.faults import DROP, Answer, Request, error, http
from tests.llm.faults import serve as serve_as


def models(*names: str, **more: object) -> Answer:
    return http(200, {"data": [{"id": name, **more} for name in names]})


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        (models("gpt-4o", "student"), "does not serve 'gpt-4'. Did you mean 'gpt-4o'?"),
        (models("llama", "student"), "does not serve 'gpt-4'. It serves llama, student."),
        (error(401, "Incorrect API key provided"), "Incorrect API key provided. Check the key"),
    ],
)
def test_what_the_server_refuses_is_known_at_once(
    s2eval: Callable[..., Outcome], tmp_path: Path, dry: tuple[str, ...], catalog: Answer, message: str
) -> None:
    with serve_as(judged, catalog) as server:
        code, _, said = s2eval(*command(server, tmp_path, *dry))
    assert (code, server.requests) == (1, [])
    assert message in said


@pytest.mark.parametrize(
    "catalog",
    [
        http(404, {}),
        http(500, "oops"),
        http(200, "<html>", "text/html"),
        http(200, {"data": []}),
        http(200, {"data": "x"}),
        http(200, [None, {"id": 3}]),
        error(403, "Missing scopes: api.model.read"),
        error(401, "You have insufficient permissions: missing scopes: model.read"),
        DROP,
        models("gpt-4-0613", "org/student"),
        models("/models/some.gguf", owned_by="llamacpp"),
    ],
)
def test_a_list_that_tells_nothing_against_it_refuses_nothing(
    s2eval: Callable[..., Outcome], tmp_path: Path, catalog: Answer
) -> None:
    with serve_as(judged, catalog) as server:
        code, _, said = s2eval(*command(server, tmp_path))
        assert code == 0, said
        assert server.listed == 1  # for both models
        listed = server.listed
        assert s2eval(*command(server, tmp_path))[0] == 0
        assert server.listed == listed  # nothing is left to ask
    assert len(server.requests) == 24


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_server_out_of_reach_or_without_a_key_is_known_at_once(
    s2eval: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry: tuple[str, ...]
) -> None:
    with serve(judged) as server:
        gone = ["--judge-base-url", "http://127.0.0.1:9/v1"]
        code, _, said = s2eval(*command(server, tmp_path, *gone, *dry))
        assert code == 1
        assert "http://127.0.0.1:9/v1 cannot be reached" in said
        monkeypatch.delenv("OPENAI_API_KEY")
        code, _, said = s2eval(*command(server, tmp_path, "--judge-base-url", "https://api.openai.com/v1", *dry))
        assert code != 0
        assert "no key for https://api.openai.com/v1" in said
    assert server.requests == []


def test_a_judge_that_takes_temperature_1_only(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    def script(request: Request, n: int) -> Answer:
        if request.body["model"] == "gpt-4" and request.body.get("temperature", 1) != 1:
            message = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value"
            return error(400, message, param="temperature", code="unsupported_value")
        return judged(request, n)

    with serve(script) as server:
        code, _, said = s2eval(*command(server, tmp_path))
        assert code == 3
        assert "--judge-temperature" in said
        assert "judge_temperature:" in said
        code, out, said = s2eval(*command(server, tmp_path, "--judge-temperature", 1))
        assert code == 0, said
    assert "temperature 1." in out
    assert "/strict-t1" in out  # no table has verdicts at two temperatures
    assert (tmp_path / "student" / "mtbench" / "gpt-4-t1" / "single.json").is_file()


@pytest.mark.parametrize("temperature", ["-1", "3", "warm"])
def test_a_temperature_is_between_0_and_2(s2eval: Callable[..., Outcome], tmp_path: Path, temperature: str) -> None:
    code, _, said = s2eval("mtbench", "--model", "baseline:constant", "--judge-temperature", temperature)
    assert code == 2
    assert "--judge-temperature" in said
