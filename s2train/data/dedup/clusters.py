"""Which side a question falls on, together with its near-duplicates in every set: one key a cluster, hashed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from s2train.data.build import split
from s2train.data.build.split import DEFAULT_SEED, DEFAULT_SHARE, Side, normalised
from s2train.data.dedup.duplicates import Forest, near_duplicates
from s2train.data.engine import HERE, Engine


@dataclass(frozen=True, slots=True)
class QuestionClusters:
    """Normalised question → the smallest normalised question of its cluster, for clusters of two and more."""

    keys: Mapping[str, str]

    def key(self, question: str) -> str:
        """The question that stands for the cluster; itself, normalised, where it has no near-duplicate."""
        own = normalised(question)
        return self.keys.get(own, own)

    def side(self, question: str, *, share: float = DEFAULT_SHARE, seed: int = DEFAULT_SEED) -> Side:
        """`split.side` of the key: the same for all of a cluster."""
        return split.side(self.key(question), share=share, seed=seed)


def cluster_questions(questions: Iterable[str], *, engine: Engine = HERE) -> QuestionClusters:
    """Cluster the questions of all sets at once (a set alone does not know the others' near-duplicates).

    Two questions are joined where they, or their titles (the first of several paragraphs), are near-duplicates, and so
    is everything that a chain of such pairs connects. The result depends on the set of questions only, not on their
    order; new questions may join clusters, and then a cluster may change sides.
    """
    unique = sorted(set(questions))
    own = {question: number for number, question in enumerate(dict.fromkeys(map(normalised, unique)))}
    titles: list[tuple[int, str]] = []  # number of the question, its title
    for question in unique:
        first, _, rest = question.partition("\n\n")
        if normalised(first) and normalised(rest):
            titles.append((own[normalised(question)], normalised(first)))
    labels = near_duplicates([*own, *(title for _, title in titles)], engine=engine)
    forest = Forest(len(labels))
    for number in np.flatnonzero(labels != np.arange(len(labels))).tolist():
        forest.join(number, int(labels[number]))
    for title_number, (number, _) in enumerate(titles, start=len(own)):
        forest.join(number, title_number)
    roots = forest.roots(np.arange(len(own))).tolist()
    smallest: dict[int, str] = {}
    for question, root in zip(own, roots, strict=True):
        smallest[root] = min(question, smallest.get(root, question))
    sizes = Counter(roots)
    return QuestionClusters(
        {question: smallest[root] for question, root in zip(own, roots, strict=True) if sizes[root] > 1}
    )
