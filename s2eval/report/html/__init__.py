"""The report as one page for a browser, offline: tables, charts, notes, and every sample to read.

>>> from s2eval.report.html import write_page
>>> write_page(Path("report.html"), document, scored)  # doctest: +SKIP
"""

from __future__ import annotations

from s2eval.report.html.page import write_page

__all__ = ["write_page"]
