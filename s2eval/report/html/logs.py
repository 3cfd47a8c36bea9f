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
from typing import Any, cast

from s2eval.files import jsonl
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
        doc_id: position in the task's order.
        title: the question on one line; "" where `question` is None.
        question: JSON of what was asked; None where it was not wanted.
        answer: JSON of what was answered.
    """

    doc_id: int
    title: str
    question: bytes | None
    answer: bytes


def read(path: Path, wanted: Callable[[int], bool]) -> Iterator[Line]:
    """The lines of a log; bytes that are no UTF-8 become U+FFFD.

    Args:
        wanted: whether the question of that document is still to be read.
    """
    for _, line in sample_lines(path):
        start = _START.match(line)
        if start and not wanted(doc_id := int(start[1])):
            place = line.rfind(b'"resps": ')
            tail: dict[str, Any] = {}
            with contextlib.suppress(ValueError):
                tail = jsonl.parse(b"{" + line[place:], "replace") if place > 0 else {}
            if "filtered_resps" in tail and "metrics" in tail:
                doc = {OPENED: True} if b'"reasoning_opened": true' in line else {}
                yield Line(doc_id, "", None, _answer(tail | {"doc": doc}))
                continue
        whole: dict[str, Any] = jsonl.parse(line, "replace")
        question, title = _question(whole)
        yield Line(int(whole["doc_id"]), title, question, _answer(whole))


def to_bytes(value: Any) -> bytes:
    """JSON in UTF-8; halves of surrogate pairs, which UTF-8 has not, stay escaped."""
    return encode(value).encode("utf-8", "backslashreplace")


def one_line(text: str) -> str:
    """Its beginning, for lists."""
    line = " ".join(text[: 4 * _TITLE].split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"


def _question(line: Mapping[str, Any]) -> tuple[bytes, str]:
    """`{x: contexts, s: where the question begins in each, c: [[context, continuation]], o: options, t: target,
    w: target in words, k: continuations that are right}`; a context of several calls once."""
    contexts: dict[str, int] = {}
    continued: list[list[Any]] = []
    options: Any = None
    for call in _calls(line.get("arguments")):
        place = contexts.setdefault(_as_text(call[0]), len(contexts)) if call else 0
        if len(call) > 1 and isinstance(call[1], str):
            continued.append([place, call[1]])
        elif len(call) > 1:
            options = call[1]
    question: dict[str, Any] = {"x": list(contexts), "t": _as_text(line.get("target"))}
    doc = cast("dict[str, Any]", line["doc"]) if isinstance(line.get("doc"), dict) else {}
    text = _asked(doc)
    if any(starts := [_start(text, context) for context in contexts]):
        question["s"] = starts
    if continued:
        question["c"] = continued
        right = _right(doc, line.get("target"), len(continued))
        question |= {"k": right, "w": _in_words(doc, text, right)} if right else {}
    if options:
        question["o"] = _as_text(options)
    return to_bytes(question), one_line(text or next(iter(contexts), "").rstrip()[-_TITLE:])


def _asked(doc: Mapping[str, Any]) -> str:
    """The question of a document; "" where it has no field of a known name."""
    return next((doc[name] for name in _QUESTIONS if isinstance(doc.get(name), str) and doc[name].strip()), "")


def _start(question: str, context: str) -> int:
    """Where the paragraph of the question begins, behind instructions and shots."""
    at = context.rfind(question.strip()) if question.strip() else -1
    return context.rfind("\n\n", 0, at) + 2 if "\n\n" in context[: max(at, 0)] else 0


def _right(doc: Mapping[str, Any], target: Any, n: int) -> list[int]:
    """Positions of the continuations that are right: those that the document labels, else the target's."""
    labels = doc.get("labels")
    if isinstance(labels, list) and len(cast("list[Any]", labels)) == n:
        return [at for at, label in enumerate(cast("list[Any]", labels)) if label in (1, True)]
    at = int(target) if isinstance(target, int) or (isinstance(target, str) and target.strip().isdigit()) else -1
    return [at] if 0 <= at < n else []


def _in_words(doc: Mapping[str, Any], question: str, right: Sequence[int]) -> str:
    """The text of the right choices, also where the choices are letters and the question spells them out."""
    choices = doc.get("choices")
    if isinstance(choices, dict):
        choices = cast("dict[str, Any]", choices).get("text")
    if not isinstance(choices, list):
        return ""
    known = [str(choice) for choice in cast("list[Any]", choices)]
    words = list[str]()
    for choice in (known[at] for at in right if at < len(known)):
        line = re.search(rf"^{re.escape(choice)}[.)] .+$", question, re.MULTILINE) if len(choice) == 1 else None
        words.append(line[0] if line else choice)
    return "\n".join(words)


def _calls(arguments: Any) -> list[list[Any]]:
    """Of `{"gen_args_0": {"arg_0": …}}`, and of the lists that older releases wrote."""
    if isinstance(arguments, dict):
        arguments = list(cast("dict[str, Any]", arguments).values())
    calls: list[list[Any]] = []
    for call in cast("list[Any]", arguments) if isinstance(arguments, list) else ():
        if isinstance(call, dict):
            calls.append(list(cast("dict[str, Any]", call).values()))
        else:
            calls.append(list(cast("list[Any]", call)) if isinstance(call, list) else [call])
    return calls


def _answer(line: Mapping[str, Any]) -> bytes:
    """`{r: log-likelihoods, g: greedy}` of the continuations, else `{x: texts}`."""
    given = cast("list[Any]", line.get("filtered_resps") or [])
    if given and all(isinstance(response, list) and len(cast("list[Any]", response)) == 2 for response in given):
        try:
            numbers = [float(response[0]) for response in given]
        except (TypeError, ValueError):
            numbers = []
        if numbers:
            values = ",".join(f"{response:.4f}" if math.isfinite(response) else "null" for response in numbers)
            greedy = ",".join("1" if str(response[1]) == "True" else "0" for response in given)
            return f'{{"r":[{values}],"g":[{greedy}]}}'.encode()
    filter_name = str(line.get("filter", "none"))
    label = "" if filter_name == "none" else f"filter {filter_name}"
    texts: list[dict[str, Any]] = []
    beside = line.get(REASONING)
    for response in given:
        parts = split(response, opened=_is_opened(line)) if isinstance(response, str) else Split(_as_text(response))
        texts.append(text_of(parts.answer, label))
        if reasoning := parts.reasoning or (beside if isinstance(beside, str) else ""):
            texts.append(text_of(reasoning, "reasoning before it", fold=True))
    raw = _first(line.get("resps"))
    if raw is not None and given and raw != given[0]:
        texts.append(text_of(_as_text(raw), "before the filter"))
    return to_bytes({"x": texts})


def _is_opened(line: Mapping[str, Any]) -> bool:
    doc = line.get("doc")
    return isinstance(doc, dict) and bool(cast("dict[str, Any]", doc).get(OPENED))


def text_of(text: str, label: str = "", *, fold: bool = False) -> dict[str, Any]:
    """`{t: text, l: label, h: as Markdown, f: folded}`; without what is empty."""
    content: dict[str, Any] = {"t": text}
    if label:
        content["l"] = label
    if html := marked_up(text):
        content["h"] = html
    if fold:
        content["f"] = 1
    return content


def _first(resps: Any) -> Any:
    while isinstance(resps, list) and resps:
        resps = cast("list[Any]", resps)[0]
    return resps if isinstance(resps, str) else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
