"""lm-eval's sample logs as pieces for the page: what was asked, once, and what a model answered, as JSON.

A line is mostly the prompt, which every model was given alike; it is parsed for the first of them only.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2eval.files import Json, JsonObject, jsonl
from s2eval.lm_eval_logs.answers import OPENED, REASONING
from s2eval.lm_eval_logs.samples import sample_lines
from s2eval.reasoning import Split, split
from s2eval.report.html.markdown import marked_up

_START = re.compile(rb'\{"doc_id": (\d+), "doc": ')
_QUESTIONS = ("question", "query", "goal", "problem", "input", "text", "prompt", "ctx", "sentence", "premise")
_TITLE = 120

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log.

    Attributes:
        title: the question on one line; "" where `question` is None.
        question: JSON of what was asked; None where it was not wanted.
        answer: JSON of what was answered.
    """

    doc_id: int
    title: str
    question: bytes | None
    answer: bytes


def read(path: Path, wanted: Callable[[int], bool]) -> Iterator[Line]:
    """The lines of a log, with the question of those documents that are `wanted`; broken UTF-8 becomes U+FFFD."""
    for _, line in sample_lines(path):
        start = _START.match(line)
        if start and not wanted(doc_id := int(start[1])):
            place = line.rfind(b'"resps": ')
            tail: JsonObject = {}
            with contextlib.suppress(ValueError):
                tail = jsonl.parse(b"{" + line[place:], "replace") if place > 0 else {}
            if "filtered_resps" in tail and "metrics" in tail:
                tail["doc"] = {OPENED: True} if b'"reasoning_opened": true' in line else {}
                yield Line(doc_id, "", None, _answer(tail))
                continue
        content: JsonObject = jsonl.parse(line, "replace")
        question, title = _question(content)
        yield Line(int(str(content["doc_id"])), title, question, _answer(content))


def to_bytes(value: object) -> bytes:
    """JSON in UTF-8; halves of surrogate pairs, which UTF-8 does not have, stay escaped."""
    return encode(value).encode("utf-8", "backslashreplace")


def one_line(text: str) -> str:
    """Its beginning, for lists."""
    line = " ".join(text[: 4 * _TITLE].split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"


def text_of(text: str, label: str = "", *, fold: bool = False) -> JsonObject:
    """`{t: text, l: label, h: as Markdown, f: folded}`; without what is empty."""
    content: JsonObject = {"t": text, "l": label, "h": marked_up(text), "f": int(fold)}
    return {name: value for name, value in content.items() if value or name == "t"}


def _question(line: JsonObject) -> tuple[bytes, str]:
    """`{x: contexts, s: where the question begins in each, c: [[context, continuation]], o: options, t: target,
    w: target in words, k: continuations that are right}`; a context of several calls once."""
    contexts: dict[str, int] = {}
    continued: list[tuple[int, str]] = []
    options: Json = None
    for call in _calls(line.get("arguments")):
        place = contexts.setdefault(_as_text(call[0]), len(contexts)) if call else 0
        if len(call) > 1 and isinstance(call[1], str):
            continued.append((place, call[1]))
        elif len(call) > 1:
            options = call[1]
    question: dict[str, object] = {"x": list(contexts), "t": _as_text(line.get("target"))}
    doc = line.get("doc")
    if not isinstance(doc, dict):
        doc = {}
    fields = (doc.get(name) for name in _QUESTIONS)
    text = next((value for value in fields if isinstance(value, str) and value.strip()), "")
    if any(starts := [_start(text, context) for context in contexts]):
        question["s"] = starts
    if continued:
        question["c"] = continued
        if right := _right(doc, line.get("target"), len(continued)):
            question |= {"k": right, "w": _in_words(doc, text, right)}
    if options:
        question["o"] = _as_text(options)
    return to_bytes(question), one_line(text or next(iter(contexts), "").rstrip()[-_TITLE:])


def _start(question: str, context: str) -> int:
    """Where the paragraph of the question begins, behind instructions and shots."""
    at = context.rfind(question.strip()) if question.strip() else -1
    return context.rfind("\n\n", 0, at) + 2 if "\n\n" in context[: max(at, 0)] else 0


def _right(doc: Mapping[str, Json], target: Json, n: int) -> list[int]:
    """Positions of the continuations that are right: those that the document labels, else the target's."""
    labels = doc.get("labels")
    if isinstance(labels, list) and len(labels) == n:
        return [at for at, label in enumerate(labels) if label in (1, True)]
    at = int(target) if isinstance(target, int) or (isinstance(target, str) and target.strip().isdigit()) else -1
    return [at] if 0 <= at < n else []


def _in_words(doc: Mapping[str, Json], question: str, right: Sequence[int]) -> str:
    """The text of the right choices, also where the choices are letters and the question spells them out."""
    choices = doc.get("choices")
    if isinstance(choices, dict):
        choices = choices.get("text")
    if not isinstance(choices, list):
        return ""
    words: list[str] = []
    for choice in (str(choices[at]) for at in right if at < len(choices)):
        line = re.search(rf"^{re.escape(choice)}[.)] .+$", question, re.MULTILINE) if len(choice) == 1 else None
        words.append(line[0] if line else choice)
    return "\n".join(words)


def _calls(arguments: Json) -> list[list[Json]]:
    """Of `{"gen_args_0": {"arg_0": …}}`, and of the lists that older releases wrote."""
    calls = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(calls, list):
        return []
    return [
        list(call.values()) if isinstance(call, dict) else call if isinstance(call, list) else [call] for call in calls
    ]


def _answer(line: JsonObject) -> bytes:
    """`{r: log-likelihoods, g: greedy}` of the continuations, else `{x: texts}`."""
    filtered = line.get("filtered_resps")
    responses = filtered if isinstance(filtered, list) else []
    if likelihoods := _likelihoods(responses):
        return likelihoods
    filter_name = str(line.get("filter", "none"))
    label = "" if filter_name == "none" else f"filter {filter_name}"
    doc = line.get("doc")
    opened = isinstance(doc, dict) and bool(doc.get(OPENED))
    beside = line.get(REASONING)
    texts: list[JsonObject] = []
    for response in responses:
        parts = split(response, opened=opened) if isinstance(response, str) else Split(_as_text(response))
        texts.append(text_of(parts.answer, label))
        if reasoning := parts.reasoning or (beside if isinstance(beside, str) else ""):
            texts.append(text_of(reasoning, "reasoning before it", fold=True))
    raw = line.get("resps")
    while isinstance(raw, list) and raw:
        raw = raw[0]
    if isinstance(raw, str) and responses and raw != responses[0]:
        texts.append(text_of(raw, "before the filter"))
    return to_bytes({"x": texts})


def _likelihoods(responses: Sequence[Json]) -> bytes:
    """Of pairs of a log-likelihood and whether it is greedy; empty where a response is anything else."""
    values: list[str] = []
    greedy: list[str] = []
    for response in responses:
        if not (isinstance(response, list) and len(response) == 2):
            return b""
        try:
            value = float(str(response[0]))
        except ValueError:
            return b""
        values.append(f"{value:.4f}" if math.isfinite(value) else "null")
        greedy.append("1" if str(response[1]) == "True" else "0")
    return f'{{"r":[{",".join(values)}],"g":[{",".join(greedy)}]}}'.encode() if values else b""


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
