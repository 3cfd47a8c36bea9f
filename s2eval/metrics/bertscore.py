"""BERTScore: how well the tokens of an answer and of a reference match by meaning, in an encoder's layer.

Zhang et al., "BERTScore: Evaluating Text Generation with BERT", ICLR 2020 (arXiv 1904.09675), section 3, by the
functions of the library bert-score 0.3.13 (its hash says 0.3.12), without idf weights and without rescaling.

* A text longer than the encoder's limit (512 tokens for roberta-large and minilm) is cut there silently.
* The last digits of a text's vectors depend on the texts beside it in a forward pass. The library batches them by words
  in the order of a Python set, so that its own values differ between processes; here they are batched by tokens, in
  order. The two differ by less than 1e-6 in fp32.
* With transformers 5, `add_prefix_space` no longer reaches RoBERTa's tokenizer: roberta-large differs a little
  from 2023.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from s2eval.metrics import embeddings, encoders
from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.scales import GRADED
from s2eval.weights import quiet

BATCH_SIZE = 64  # the library's own default
MEMORY = 1 << 30  # bytes: some 1,000 answers of 250 tokens in roberta-large, 2,700 in minilm
BLOCK = 256  # pairs whose embeddings are held at once, whatever the limit


@dataclass(frozen=True, slots=True)
class BertScore:
    """Means of greedily matched cosine similarities, -1..1 and in practice 0..1; 1 for equal texts."""

    precision: float
    recall: float
    f1: float


# A cosine, which no encoder in use makes negative, and 0 for an empty answer.
BERTSCORE = MetricFamily(
    "bertscore",
    (
        Metric("s2_bertscore_precision", "Precision", scale=GRADED),
        Metric("s2_bertscore_recall", "Recall", scale=GRADED),
        Metric("s2_bertscore_f1", "F1", scale=GRADED),
    ),
    "BERTScore",
    needs="encoder",
)


class Scorer:
    """Scores several sets of texts with one encoder, and embeds every distinct text of them once.

        with Scorer("minilm") as scorer:
            for answers in models:
                scores = scorer.score(answers, references)

    The encoder is loaded by the first score that needs it, and released at the end.
    """

    def __init__(
        self,
        encoder: str = "roberta-large",
        *,
        num_layers: int | None = None,
        batch_size: int = BATCH_SIZE,
        device: str | None = None,
        memory: int = MEMORY,
    ) -> None:
        """
        Args:
            encoder: hub id, folder, or `minilm`, the packaged one that needs no network.
            num_layers: the hidden layer; None for the library's choice for that hub id, 6 for `minilm`.
            batch_size: texts per forward pass (fewer where they differ much in length), and pairs per matching step.
            device: as torch names it; None for `cuda` if available, else `cpu`.
            memory: bytes of embeddings kept between sets; beyond it, the least recently used are dropped.

        Raises:
            UsageError: no such folder, or no layer known.
            PrerequisiteError: a package is missing.
        """
        self.encoder = encoders.resolve_encoder(encoder, num_layers)
        self._batch_size, self._device = batch_size, device
        self._embeddings = embeddings.Embeddings(memory)
        self._loaded: embeddings.LoadedEncoder | None = None

    @property
    def setting(self) -> str:
        """bert-score's hash of the settings, `<name>_L<layer>_no-idf_version=…(hug_trans=…)`, without local paths."""
        return encoders.library().get_hash(
            model=self.encoder.name,
            num_layers=self.encoder.num_layers,
            idf=False,
            rescale_with_baseline=False,
            use_custom_baseline=False,
            use_fast_tokenizer=False,
        )

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> list[BertScore]:
        """Scores of n answers against their n references, in order; 0 by rule where either is blank.

        Raises:
            UsageError: no such layer, or an encoder that bert-score gets wrong.
            PrerequisiteError: the encoder's weights are missing.
        """
        if len(predictions) != len(references):
            raise ValueError(f"{len(predictions)} predictions and {len(references)} references")
        scores = [BertScore(0.0, 0.0, 0.0)] * len(predictions)
        pairs = enumerate(zip(predictions, references, strict=True))
        filled = [i for i, (prediction, reference) in pairs if prediction.strip() and reference.strip()]
        with quiet(downloads=True):
            for start in range(0, len(filled), BLOCK):
                block = filled[start : start + BLOCK]
                computed = self._score_block([predictions[i] for i in block], [references[i] for i in block])
                for i, score in zip(block, computed, strict=True):
                    scores[i] = score
        return scores

    def _score_block(self, predictions: Sequence[str], references: Sequence[str]) -> list[BertScore]:
        loaded = self._loaded = self._loaded or encoders.load_encoder(self.encoder, self._device)
        of = self._embed(loaded, predictions, references)
        answers, targets = ([of[text] for text in side] for side in (predictions, references))
        scores: list[BertScore] = []
        # bert-score reports on stderr that it gives 0 to a text of which the tokenizer leaves nothing.
        with contextlib.redirect_stderr(io.StringIO()):
            for start in range(0, len(answers), self._batch_size):
                batch = slice(start, start + self._batch_size)
                compared = embeddings.compare(answers[batch], targets[batch], loaded.device)
                scores += [BertScore(*values) for values in compared]
        return scores

    def _embed(
        self, loaded: embeddings.LoadedEncoder, predictions: Sequence[str], references: Sequence[str]
    ) -> dict[str, embeddings.Embedding]:
        # the references last, where they stay longest: the next model has the same
        targets = dict.fromkeys(references)
        texts = [*(text for text in dict.fromkeys(predictions) if text not in targets), *targets]
        known = self._embeddings.find(texts)
        new = embeddings.embed(loaded, [text for text in texts if text not in known], self._batch_size)
        of = {text: known.get(text) or new[text] for text in texts}
        self._embeddings.keep(of)
        return of

    def close(self) -> None:
        """Release the encoder and all embeddings."""
        self._loaded = None
        self._embeddings = embeddings.Embeddings(self._embeddings.memory)

    def __enter__(self) -> Scorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def bertscore(
    predictions: Sequence[str],
    references: Sequence[str],
    *,
    encoder: str = "roberta-large",
    num_layers: int | None = None,
    batch_size: int = BATCH_SIZE,
    device: str | None = None,
) -> tuple[list[BertScore], str]:
    """The scores of one set in order, and `Scorer.setting`; errors as of `Scorer`."""
    with Scorer(encoder, num_layers=num_layers, batch_size=batch_size, device=device) as scorer:
        return scorer.score(predictions, references), scorer.setting
