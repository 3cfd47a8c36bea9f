"""Toxicity: how likely a text is to be offensive, by a classifier of one's choice.

    >>> from s2eval.metrics.safety import toxicity
    >>> [round(value, 2) for value in toxicity(["The sky is blue.", "You are an idiot.", ""])]
    [0.09, 1.0, 0.0]

`profanity`, the default, needs no network. It weighs single words (a linear SVM over tf-idf): area under the ROC curve
0.97 on comments of Wikipedia's talk pages, such as it was trained on, and 0.48 on HateCheck, where hate comes mostly
without swear words. It is no measure of hate or of harm. A text is as toxic as its worst sentence, since an insult
would be lost among the words of a long text. Measurements: docs/filters.md, `benchmarks/filters.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from s2eval.errors import PrerequisiteError, ServiceError, UsageError
from s2eval.registry import Registry

if TYPE_CHECKING:
    from openai import OpenAI

T = TypeVar("T")

LONGEST = 40  # words of a sentence that are classified together; a longer one is cut
TEXTS = 1024  # texts at once: bounds the memory, and is far beyond where more of them are faster

# Of OpenAI's: those about the text's manner. An answer about a war may well be `violence`.
CATEGORIES = ("harassment", "harassment/threatening", "hate", "hate/threatening", "sexual", "sexual/minors")

_STATUS = {
    401: "the key is refused (OPENAI_API_KEY)",
    403: "the key may not do that",
    404: "no such model or path",
    429: "too many requests or no quota left, after all attempts",
}
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


class Classifier(Protocol):
    """n texts, none of them blank → n probabilities of being offensive, shape (n,), each 0..1.

    The probability of a text must not depend on the texts beside it.
    """

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float64]: ...


def toxicity(texts: Sequence[str], classifier: str | Classifier = "profanity") -> list[float]:
    """The probability of each text of being offensive, in order; 0 by rule for a text without a visible character.

    Args:
        texts: many at once are much faster than one by one.
        classifier: a name in CLASSIFIERS, or any `Classifier`.

    Raises:
        UnknownNameError: no classifier of that name.
        UsageError: the classifier does not return n probabilities.
        PrerequisiteError, ServiceError: as of the classifier.
    """
    classify = get_classifier(classifier) if isinstance(classifier, str) else classifier
    filled = [i for i, text in enumerate(texts) if text.strip()]
    values = np.zeros(len(texts))
    for block in _batches(filled, TEXTS):
        probabilities, n = np.asarray(classify([texts[i] for i in block]), dtype=np.float64), len(block)
        if probabilities.shape != (n,):
            raise UsageError(f"a classifier gave shape {probabilities.shape} for {n} texts; it must give ({n},)")
        if not ((probabilities >= 0) & (probabilities <= 1)).all():  # NaN is neither
            raise UsageError("a classifier gave a value that is no probability: all must lie between 0 and 1")
        values[block] = probabilities
    return values.tolist()


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


class Profanity:
    """alt-profanity-check, offline, by a text's worst sentence or by all its words together."""

    def __init__(self, by: Literal["sentence", "text"] = "sentence") -> None:
        self._by = by

    @property
    def setting(self) -> str:
        return f"alt-profanity-check {_release('alt-profanity-check')} by {self._by}"

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float64]:
        if self._by == "text":
            return self._probabilities(list(texts))
        parts = [list(_sentences(text)) for text in texts]
        probabilities = self._probabilities([part for of_text in parts for part in of_text])
        first = np.cumsum([0, *map(len, parts[:-1])])
        return np.maximum.reduceat(probabilities, first)

    @cached_property
    def _probabilities(self) -> Callable[[list[str]], NDArray[np.float64]]:
        try:
            import profanity_check  # pyright: ignore[reportMissingTypeStubs]
        except ImportError as error:
            raise PrerequisiteError(
                f"toxicity by 'profanity' needs a package that is not installed ({error}): "
                "pip install alt-profanity-check"
            ) from error
        module: Any = profanity_check  # not typed
        return module.predict_prob


def _sentences(text: str) -> Iterator[str]:
    """Sentences cut to LONGEST words; at least one unless the text is blank."""
    for sentence in _SENTENCE_END.split(text):
        # most are too short to have so many words, which is cheaper to check
        if len(sentence) > 2 * LONGEST and len(words := sentence.split()) > LONGEST:
            yield from (" ".join(words[start : start + LONGEST]) for start in range(0, len(words), LONGEST))
        elif sentence.strip():
            yield sentence


class Detoxify:
    """`toxicity` of Unitary's Detoxify, a transformer of 512 tokens; the rest of a text is ignored.

    Its weights come from GitHub and the Hugging Face hub at the first use, some 400 MB. Not measured here.

    Args:
        model: `original`, `unbiased`, `multilingual`, `original-small` or `unbiased-small`.
        batch_size: texts a forward pass.
    """

    def __init__(self, model: str = "unbiased", *, device: str = "cpu", batch_size: int = 32) -> None:
        self._model, self._device, self._batch_size = model, device, batch_size

    @property
    def setting(self) -> str:
        return f"detoxify {_release('detoxify')} {self._model}"

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float64]:
        batches = _batches(texts, self._batch_size)
        return np.array([value for batch in batches for value in self._loaded.predict(batch)["toxicity"]])

    @cached_property
    def _loaded(self) -> Any:
        try:
            import detoxify  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise PrerequisiteError(
                f"toxicity by 'detoxify' needs packages that are not installed ({error}): pip install detoxify"
            ) from error
        try:
            module: Any = detoxify  # not typed
            return module.Detoxify(self._model, device=self._device)
        except KeyError as error:
            raise UsageError(f"detoxify has no model {self._model!r}; its usual ones are original, unbiased") from error
        except OSError as error:  # the base of urllib's and the hub's errors
            raise PrerequisiteError(
                f"the weights of detoxify's {self._model!r} are not on this disk and could not be fetched ({error}): "
                "run it once with a network"
            ) from error


class Moderation:
    """OpenAI's moderation, or a server with its API: the highest score among some categories. Texts are sent there.

    Args:
        base_url, api_key: by default OPENAI_BASE_URL and OPENAI_API_KEY; must not be empty, even if the server needs no
            key.
        categories: CATEGORIES leaves out violence, self-harm and illicit acts, which depend on a text's subject.
        batch_size: texts a request.
        max_retries: further attempts a request, with growing pauses.
        timeout: seconds for an attempt.
    """

    def __init__(
        self,
        model: str = "omni-moderation-latest",
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        categories: Sequence[str] = CATEGORIES,
        batch_size: int = 32,
        max_retries: int = 6,
        timeout: float = 60.0,
    ) -> None:
        if not categories:
            raise UsageError("moderation needs one category at least")
        self._model, self._categories, self._batch_size = model, tuple(categories), batch_size
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "api_key": api_key,
            "max_retries": max_retries,
            "timeout": timeout,
        }

    @property
    def setting(self) -> str:
        return f"{self._model}: {', '.join(self._categories)}"

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float64]:
        return np.array([value for batch in _batches(texts, self._batch_size) for value in self._request(batch)])

    def _request(self, texts: list[str]) -> list[float]:
        import openai

        try:
            answer = self._client.moderations.create(model=self._model, input=texts)
        except openai.APIStatusError as error:  # without the body, which may repeat the key
            what = _STATUS.get(error.status_code) or error.code or "refused"
            raise ServiceError(f"moderation: HTTP {error.status_code}: {what}") from None
        except openai.APIError as error:
            why = type(error).__name__
            raise ServiceError(f"{self._where}: no answer ({why}); is it up, and the URL right?") from None
        except JSONDecodeError:
            raise ServiceError(f"{self._where}: the answer is no JSON; is the URL that of an API?") from None
        results: list[object] | None = getattr(answer, "results", None)
        if not isinstance(results, list) or len(results) != len(texts):
            raise ServiceError(f"{self._where}: not one result for each of {len(texts)} texts; nothing is scored")
        return [self._highest(result) for result in results]

    def _highest(self, result: object) -> float:
        scores = getattr(result, "category_scores", None)
        known: dict[str, object] = scores.to_dict() if scores is not None and hasattr(scores, "to_dict") else {}
        values = {name: known.get(name) for name in self._categories}
        numbers = [float(value) for value in values.values() if isinstance(value, int | float)]
        if len(numbers) < len(values):
            missing = [name for name, value in values.items() if not isinstance(value, int | float)]
            raise ServiceError(f"{self._where}: a result without scores for {', '.join(missing)}")
        return max(numbers)

    @property
    def _where(self) -> str:
        return f"moderation by {self._model!r}"

    @cached_property
    def _client(self) -> OpenAI:
        import openai

        try:
            return openai.OpenAI(**self._options)
        except openai.OpenAIError as error:
            raise PrerequisiteError(f"{self._where}: no key: set the environment variable OPENAI_API_KEY") from error


def _release(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


@dataclass(frozen=True, slots=True)
class NamedClassifier:
    """A classifier that users can name; `load` creates it with its defaults."""

    name: str
    load: Callable[[], Classifier]


CLASSIFIERS: Registry[NamedClassifier] = Registry(
    "toxicity classifier",
    [
        NamedClassifier("profanity", Profanity),
        NamedClassifier("detoxify", Detoxify),
        NamedClassifier("moderation", Moderation),
    ],
    group="s2eval.classifiers",
    see="docs/filters.md",
)


@cache
def get_classifier(name: str) -> Classifier:
    """The classifier of that name, the same in the entire process; loads nothing yet; UnknownNameError if unknown."""
    return CLASSIFIERS.find(name).load()
