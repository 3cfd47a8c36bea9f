"""The merge methods. One more is a file like `bf16.py` and a line here, or an entry point of another package:

[project.entry-points."s2train.merge_methods"]
half = "my_package:HALF"

HALF = MergeMethod(
    "half", help="half of the change", card="half of the adapter's change was added.",
    add=lambda base, change: base + change / 2, peft=False,
)
"""

from s2eval.registry import Registry
from s2train.merge.methods.bf16 import BF16
from s2train.merge.methods.method import MergeMethod
from s2train.merge.methods.qdq import QDQ

MERGE_METHODS = Registry("merge method", [BF16, QDQ], group="s2train.merge_methods", see="s2train merge --help")

__all__ = ["MERGE_METHODS", "MergeMethod"]
