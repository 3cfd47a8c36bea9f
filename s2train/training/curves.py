"""Training curves as a chart, from the lines of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from s2eval.report.charts.canvas import COLOURS, drawing

# Panel → what is drawn in it, where it was logged: the training's, then the validation's.
PANELS: Mapping[str, tuple[str, ...]] = {
    "loss": ("loss", "eval_loss"),
    "accuracy of tokens": ("mean_token_accuracy", "eval_mean_token_accuracy"),
    "pairs in the right order": ("accuracy", "eval_accuracy", "rewards/accuracies", "eval_rewards/accuracies"),
    "difference of rewards": ("margin", "eval_margin", "rewards/margins", "eval_rewards/margins"),
    "reward": ("reward", "eval_reward"),
    "KL from the reference, nats an answer": ("kl", "eval_kl"),
    "tokens of an answer": ("tokens", "eval_tokens"),
    "Flesch-Kincaid grade": ("eval_fkg",),
    "loss of the policy": ("policy_loss",),
    "loss of the value": ("value_loss",),
    "learning rate": ("learning_rate",),
    "norm of the gradient": ("grad_norm",),
}


def series(records: Sequence[Mapping[str, object]], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of what was logged under that name."""
    steps, values = list[int](), list[float]()
    for record in records:
        step, value = record["step"], record.get(name)
        if isinstance(step, int) and isinstance(value, int | float):
            steps.append(step)
            values.append(float(value))
    return steps, values


def draw(records: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write an SVG with a panel for each kind of number that was logged; none where nothing was."""
    panels = [(title, [name for name in names if series(records, name)[0]]) for title, names in PANELS.items()]
    panels = [(title, names) for title, names in panels if names]
    if not panels:
        return
    columns, lines = min(len(panels), 3), -(-len(panels) // 3)
    with drawing(5 * columns, 3.2 * lines, layout="constrained") as drawn:
        for place, (title, names) in enumerate(panels, 1):
            axes = drawn.figure.add_subplot(lines, columns, place)
            for name in names:
                held_out = name.startswith("eval_")
                steps, values = series(records, name)
                axes.plot(
                    steps, values, color=COLOURS[held_out],
                    marker="o" if held_out or len(steps) < 3 else None, markersize=4, linewidth=1.5,
                    label="validation" if held_out else "training",
                )  # fmt: skip
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("step", fontsize=9)
            axes.grid()
            if len(names) > 1:
                axes.legend(fontsize=8, frameon=False)
    shown = ", ".join(title for title, _ in panels)
    path.write_text(drawn.file("Training curves", f"By step: {shown}."), encoding="utf-8")
