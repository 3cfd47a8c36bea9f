"""Formulas of wikitext in plain text: chemistry (`{{chem}}`, `{{chem2}}`, `<chem>`) and simple `<math>`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_RAISED = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎")


def raised(text: str) -> str:
    """`2` → `²`; text of which Unicode has no such characters stays as it is: `th`."""
    script = text.translate(_RAISED)
    return text if any(mark.isascii() for mark in script) else script


def lowered(text: str) -> str:
    """`2` → `₂`, likewise."""
    script = text.translate(_LOWERED)
    return text if any(mark.isascii() for mark in script) else script


# --- chemistry ---

_COUNT = re.compile(r"[\d.]+|n|x")
_CHARGE = re.compile(r"\d*[+−-]")


def chem(parts: Sequence[str]) -> str:
    """The formula of `{{chem}}`: symbols and counts in turn, a charge last.

    >>> chem(["H", "2", "O"]), chem(["SO", "4", "2-"])
    ('H₂O', 'SO₄²⁻')
    """
    written = ""
    for part in parts:
        if _CHARGE.fullmatch(part):
            written += raised(part)
        elif _COUNT.fullmatch(part) and written:
            written += lowered(part)
        elif part.isdigit():
            written += raised(part)  # before the first symbol: of an isotope
        else:
            written += part
    return written


_CHEM = re.compile(
    r"(?P<arrow><=>|<->|->|→)"
    r"|\^\{(?P<up>[^{}]*)\}|_\{(?P<down>[^{}]*)\}|\^(?P<charge>\d*[+−-]|\d+)|_(?P<index>\d+)"
    r"|\((?P<ion>\d*[+−-])\)"
    r"|(?<=[A-Za-z)\]])(?P<count>\d+(?:\.\d+)?)"
    r"|(?<=[A-Za-z0-9)\]])(?P<sign>[+−-])(?=$|[\s)\]}])"
    r"|(?P<dot>\*)"
)


def chem2(text: str) -> str | None:
    """The formula of `{{chem2}}` or `<chem>` (mhchem): digits after a symbol are counts; None where it is another's.

    >>> chem2("CO2"), chem2("SO4(2-)"), chem2("SO4^2-"), chem2("2 H2 + O2 -> 2 H2O")
    ('CO₂', 'SO₄²⁻', 'SO₄²⁻', '2 H₂ + O₂ → 2 H₂O')
    """

    def script(match: re.Match[str]) -> str:
        if match["arrow"]:
            return "→" if match["arrow"] in ("->", "→") else "⇌"
        if match["dot"]:
            return "·"
        if low := match["down"] or match["index"] or match["count"]:
            return lowered(low)
        return raised(match["up"] or match["charge"] or match["ion"] or match["sign"] or "")

    written = _CHEM.sub(script, text.replace("''", ""))
    return None if re.search(r"[\\{}^_$<>]", written) else written


# --- mathematics ---


def _pairs(text: str) -> Mapping[str, str]:
    return dict(pair.split(":") for pair in text.split())


_SYMBOLS = _pairs(
    "alpha:α beta:β gamma:γ delta:δ epsilon:ε varepsilon:ε zeta:ζ eta:η theta:θ vartheta:ϑ iota:ι kappa:κ lambda:λ "
    "mu:μ nu:ν xi:ξ pi:π rho:ρ sigma:σ tau:τ upsilon:υ phi:φ varphi:φ chi:χ psi:ψ omega:ω Gamma:Γ Delta:Δ Theta:Θ "
    "Lambda:Λ Xi:Ξ Pi:Π Sigma:Σ Phi:Φ Psi:Ψ Omega:Ω times:× cdot:· div:÷ pm:± mp:∓ leq:≤ le:≤ geq:≥ ge:≥ neq:≠ "
    "ne:≠ approx:≈ equiv:≡ sim:~ infty:∞ sum:∑ prod:∏ int:∫ partial:∂ nabla:∇ in:∈ notin:∉ subset:⊂ cup:∪ cap:∩ "
    "emptyset:∅ forall:∀ exists:∃ to:→ rightarrow:→ Rightarrow:⇒ leftrightarrow:↔ circ:° ldots:… dots:… cdots:… "
    "degree:° hbar:ħ ell:ℓ angle:∠ perp:⊥ parallel:∥ propto:∝ sin:sin cos:cos tan:tan log:log ln:ln exp:exp "
    "lim:lim max:max min:min lt:< gt:> left: right: displaystyle: textstyle: quad: qquad: limits: %:%"
)
_HIGH = _RAISED | str.maketrans("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")
_LOW = _LOWERED | str.maketrans("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_TEXT = re.compile(r"\\(?:text|textrm|mathrm|mathbf|mathit|mathsf|mathbb|operatorname|mbox|bar|vec)\s*\{([^{}\\]*)\}")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)\s*(\d))")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\([A-Za-z]+|%)")
_CHEMISTRY = re.compile(r"\\ce\s*\{(.*)\}", re.DOTALL)
_SPACE = re.compile(r"\\[,;:! ]|~")
_SCRIPT = re.compile(r"([\^_])(?:\{([^{}]*)\}|([^\s{}\\^_]))")


def math(tex: str) -> str | None:
    """A simple formula in TeX as a line of text; None where it needs more than a line.

    >>> math(r"E=mc^2"), math(r"\\frac{1}{2}"), math(r"\\pi \\approx 3.14")
    ('E=mc²', '1/2', 'π ≈ 3.14')
    """
    if chemistry := _CHEMISTRY.fullmatch(tex.strip()):
        return chem2(chemistry[1])
    tex = _SPACE.sub(" ", tex.strip())
    for _ in range(3):  # what is nested deeper does not read well on a line
        tex = _ROOT.sub(lambda match: f"√{_grouped(match[1])}", _TEXT.sub(r"\1", tex))
        tex = _FRACTION.sub(lambda match: "/".join(_grouped(part) for part in match.groups() if part is not None), tex)
    tex = _COMMAND.sub(lambda match: _SYMBOLS.get(match[1], match[0]), tex)
    plain = True

    def script(match: re.Match[str]) -> str:
        nonlocal plain
        content = match[2] if match[2] is not None else match[3]
        if content in ("°", "′"):
            return content
        written = content.translate(_HIGH if match[1] == "^" else _LOW)
        plain = plain and not any(mark.isascii() or mark in _SYMBOLS.values() for mark in written)
        return written

    tex = " ".join(_SCRIPT.sub(script, tex).split())
    return tex if plain and tex and not re.search(r"[\\{}^_&]", tex) else None


def _grouped(part: str) -> str:
    return part if re.fullmatch(r"\w*|[\d.]+", part) else f"({part})"
