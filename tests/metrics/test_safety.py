"""Toxicity: what every classifier must give, what the offline one sees and misses, what the others do when asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from s2eval.errors import PrerequisiteError, ServiceError, UnknownNameError, UsageError
from s2eval.metrics.safety import CATEGORIES, LONGEST, TEXTS, Detoxify, Moderation, Profanity, get_classifier, toxicity

INSULT = "You are a stupid idiot."
HARMLESS = "The sky is blue because air scatters the blue part of sunlight more than the red part. " * 8


def shouting(texts: Sequence[str]) -> NDArray[np.float64]:
    """A classifier whose values can be told in advance: the share of capital letters."""
    return np.array([sum(map(str.isupper, text)) / len(text) for text in texts])


# --- what holds for every classifier ---


def test_values_stand_in_order_and_blank_texts_are_0_without_being_asked() -> None:
    asked: list[str] = []

    def classifier(texts: Sequence[str]) -> NDArray[np.float64]:
        asked.extend(texts)
        return shouting(texts)

    assert toxicity(["", "ABcd", " \n\u2003", "A"], classifier) == [0.0, 0.5, 0.0, 1.0]  # 2 / 4, 1 / 1
    assert asked == ["ABcd", "A"]


def test_no_texts_ask_nobody() -> None:
    def classifier(texts: Sequence[str]) -> NDArray[np.float64]:
        raise AssertionError("asked")

    assert toxicity([], classifier) == []
    assert toxicity([" ", ""], classifier) == [0.0, 0.0]


def test_many_texts_go_in_blocks() -> None:
    sizes: list[int] = []

    def classifier(texts: Sequence[str]) -> NDArray[np.float64]:
        sizes.append(len(texts))
        return shouting(texts)

    found = toxicity(["a"] * TEXTS + ["A"], classifier)
    assert (sizes, found[-2:]) == ([TEXTS, 1], [0.0, 1.0])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros(3), r"shape \(3,\) for 2 texts"),
        (np.zeros((2, 1)), r"shape \(2, 1\)"),
        (np.array([0.5, np.nan]), "no probability"),
        (np.array([0.5, 1.1]), "no probability"),
        (np.array([-0.1, 0.5]), "no probability"),
    ],
)
def test_what_is_no_probability_is_refused_and_not_scored(given: NDArray[np.float64], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        toxicity(["a", "b"], lambda texts: given)


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'profanty'; did you mean 'profanity'"):
        toxicity(["a"], "profanty")


def test_a_classifier_is_made_once() -> None:
    assert get_classifier("profanity") is get_classifier("profanity")


def test_nothing_heavy_is_imported_before_it_is_asked() -> None:
    code = "import sys, s2eval.metrics.safety as s; s.get_classifier('detoxify'); s.get_classifier('moderation')\n"
    code += "print([m for m in ('sklearn', 'scipy', 'torch', 'openai', 'profanity_check') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize(("name", "package"), [("profanity", "profanity_check"), ("detoxify", "detoxify")])
def test_a_missing_package_says_how_to_get_it(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    classifier = {"profanity": Profanity, "detoxify": Detoxify}[name]()
    with pytest.raises(PrerequisiteError, match=r"pip install (alt-profanity-check|detoxify)"):
        toxicity(["a"], classifier)


# --- alt-profanity-check ---


def test_a_text_is_as_toxic_as_its_worst_sentence() -> None:
    alone = toxicity([HARMLESS, INSULT])
    assert toxicity([f"{HARMLESS} {INSULT}", f"{INSULT}\n{HARMLESS}"]) == [max(alone)] * 2
    assert alone[1] > 0.9 > 0.2 > alone[0]


def test_a_whole_text_hides_an_insult() -> None:
    mixed = f"{HARMLESS} {INSULT}"
    assert Profanity("text")([mixed])[0] < 0.5 < Profanity("sentence")([mixed])[0]


def test_a_sentence_without_end_is_cut() -> None:
    endless = "on " * LONGEST
    assert toxicity([endless + INSULT]) == [max(toxicity([endless, INSULT]))]  # 40 words, then the other five


def test_a_value_does_not_depend_on_the_texts_beside_it() -> None:
    texts = [INSULT, HARMLESS, "Fine.", "What the hell is this?", "...", "☃", "a\nb\n\nc"] * 3
    together = toxicity(texts)
    assert together == [toxicity([text])[0] for text in texts]
    assert together == toxicity(texts[::-1])[::-1]


def test_hostile_texts_give_values() -> None:
    for text in ("." * 100_000, " ." * 50_000, "\n\t" * 50_000 + "x", "a" * 100_000, "\x00", "\ud800 lone"):
        (value,) = toxicity([text])
        assert 0 <= value <= 1


def area(values: Sequence[float], positive: Sequence[bool]) -> float:
    """Area under the ROC curve: how often a positive is above a negative, ties half (Mann and Whitney)."""
    high = np.array([v for v, yes in zip(values, positive, strict=True) if yes])[:, None]
    low = np.array([v for v, yes in zip(values, positive, strict=True) if not yes])
    return float(((high > low).mean() + (high >= low).mean()) / 2)


def test_area_under_the_curve() -> None:
    assert area([0.9, 0.4, 0.4, 0.1], [True, True, False, False]) == 3.5 / 4  # one of four pairs is a tie


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_it_sees_and_what_it_misses_is_as_documented(shared_data: Path) -> None:
    talk = rows(shared_data / "safety" / "wikipedia_talk_toxicity.jsonl")
    hate = rows(shared_data / "safety" / "hatecheck.jsonl")
    for classifier, on_talk in ((Profanity("text"), 0.990), (Profanity("sentence"), 0.966)):
        values = toxicity([row["text"] for row in talk], classifier)
        assert area(values, [row["toxic"] for row in talk]) == pytest.approx(on_talk, abs=0.005)
    values = toxicity([row["test_case"] for row in hate])
    assert area(values, [row["label_gold"] == "hateful" for row in hate]) == pytest.approx(0.48, abs=0.01)

    def above(functionality: str) -> float:
        found = [v for v, row in zip(values, hate, strict=True) if row["functionality"] == functionality]
        return sum(value > 0.5 for value in found) / len(found)

    assert above("spell_leet_h") < 0.15  # hate in leetspeak passes …
    assert above("profanity_nh") > 0.9  # … and harmless swearing does not


# --- Detoxify, by a stand-in with its interface (its weights cannot be had here) ---

STAND_IN = """
class Detoxify:
    def __init__(self, model_type="original", checkpoint=None, device="cpu"):
        {"unbiased": 1}[model_type]
        if device != "cpu":
            raise OSError("no network")
        self.sizes = []

    def predict(self, text):
        assert isinstance(text, list)
        self.sizes.append(len(text))
        return {"toxicity": [min(1.0, len(one) / 10) for one in text], "insult": [1.0] * len(text)}
"""


@pytest.fixture
def detoxify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "detoxify.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("detoxify", None)


@pytest.mark.usefixtures("detoxify")
def test_detoxify_is_asked_in_batches_for_toxicity() -> None:
    classifier = Detoxify(batch_size=2)
    assert toxicity(["a", "", "bb", "ccc", "dddd", "eeeee"], classifier) == [0.1, 0.0, 0.2, 0.3, 0.4, 0.5]
    assert classifier._loaded.sizes == [2, 2, 1]


@pytest.mark.usefixtures("detoxify")
def test_detoxify_without_weights_or_model() -> None:
    with pytest.raises(PrerequisiteError, match="no network"):
        toxicity(["a"], Detoxify(device="meta"))
    with pytest.raises(UsageError, match="no model 'unbaised'"):
        toxicity(["a"], Detoxify("unbaised"))


# --- moderation, by the real client against a small server ---


class Server(ThreadingHTTPServer):
    """Plays answers (status, body) in order, the last one for ever; without one, moderates by counting "!"."""

    def __init__(self, answers: Sequence[tuple[int, str]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.inputs = list(answers), list[list[str]]()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/moderations"
        self.server.inputs.append(asked["input"])
        status, body = self.server.answers.pop(0) if self.server.answers else (200, moderated(asked["input"]))
        kind = "text/html" if body.startswith("<") else "application/json"
        data = body.encode()
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(data))), ("retry-after-ms", "1")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def moderated(texts: Sequence[str]) -> str:
    names = (*CATEGORIES, "violence")
    results = [
        {
            "flagged": False,
            "categories": dict.fromkeys(names, False),
            "category_scores": dict.fromkeys(names, 0.01)
            | {"hate/threatening": text.count("!") / 10, "violence": 0.99},
        }
        for text in texts
    ]
    return json.dumps({"id": "m", "model": "omni", "results": results})


@contextmanager
def serving(*answers: tuple[int, str]) -> Iterator[tuple[Server, str]]:
    with Server(answers) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_moderation_is_the_highest_of_its_categories() -> None:
    with serving() as (server, url):
        classifier = Moderation(base_url=url, api_key="sk-test-key", batch_size=2)
        assert toxicity(["a!!!", "", "b", "c!!!!!"], classifier) == [0.3, 0.0, 0.01, 0.5]  # violence does not count
        assert server.inputs == [["a!!!", "b"], ["c!!!!!"]]
        violent = Moderation(base_url=url, api_key="sk-test-key", categories=["violence"])
        assert toxicity(["b"], violent) == [0.99]


def test_moderation_asks_again_where_a_server_is_busy() -> None:
    busy = (429, '{"error": {"message": "slow down"}}')
    with serving(busy, (500, "oops"), busy) as (server, url):
        assert toxicity(["a!"], Moderation(base_url=url, api_key="sk-test-key")) == [0.1]
        assert len(server.inputs) == 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, '{"error": {"message": "Incorrect API key provided: sk-test-key"}}'), "HTTP 401: the key is refused"),
        ((404, '{"error": {"message": "no"}}'), "HTTP 404: no such model or path"),
        ((429, '{"error": {"message": "no", "code": "insufficient_quota"}}'), "HTTP 429: too many requests"),
        ((200, "<html>Welcome</html>"), "not one result for each of 1 texts"),
        ((200, '{"results": ['), "no JSON"),
        ((200, '{"results": []}'), "not one result for each of 1 texts"),
        ((200, '{"results": null}'), "not one result for each of 1 texts"),
        ((200, '{"results": [{"category_scores": null}]}'), "a result without scores"),
        ((200, '{"results": [{"category_scores": {"hate": 0.1}}]}'), "without scores for harassment, "),
    ],
)
def test_moderation_that_fails_is_no_score(answer: tuple[int, str], said: str) -> None:
    with serving(answer, answer) as (_, url), pytest.raises(ServiceError, match=said) as caught:
        toxicity(["a"], Moderation(base_url=url, api_key="sk-test-key", max_retries=1))
    assert "sk-test-key" not in str(caught.value)


def test_moderation_out_of_reach_or_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (_, url):
        pass  # closed again: nobody listens there
    with pytest.raises(ServiceError, match=r"no answer \(APIConnectionError\)"):
        toxicity(["a"], Moderation(base_url=url, api_key="sk-test-key", max_retries=0))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(PrerequisiteError, match="set the environment variable OPENAI_API_KEY"):
        toxicity(["a"], Moderation())


def test_settings_name_what_gave_the_numbers() -> None:
    assert Profanity("text").setting.startswith("alt-profanity-check 1.")
    assert Profanity("text").setting.endswith(" by text")
    assert Moderation(categories=["hate", "sexual"]).setting == "omni-moderation-latest: hate, sexual"
    with pytest.raises(UsageError, match="one category"):
        Moderation(categories=[])
