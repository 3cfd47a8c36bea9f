"""A page as a visitor sees it, with everything it asked for and complained of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page


@dataclass
class Visit:
    """`asked`: URLs of all requests; `problems`: errors and warnings of the console, and uncaught exceptions."""

    page: Page
    asked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def open_sample(self, task: str, document: str) -> str:
        """Open a sample by its address; gives its text."""
        self.page.evaluate("told => { location.hash = new URLSearchParams(told) }", {"task": task, "doc": document})
        self.page.wait_for_function(
            "([task, doc]) => document.querySelector('#sample h3')?.textContent.startsWith(`${task}, no. ${doc}`)"
            " && !document.querySelector('#sample').hidden",
            arg=[task, document],
        )
        return self.page.locator("#sample").inner_text()

    def counted(self, text: str) -> None:
        """Wait until the browser of samples tells that."""
        self.page.wait_for_function("text => document.querySelector('#count').textContent === text", arg=text)

    @property
    def questions(self) -> list[str]:
        """Of the page of the list that is shown."""
        return self.page.locator("table.list tbody button").all_inner_texts()


@contextmanager
def visit(browser: Browser, address: Path | str, **options: Any) -> Iterator[Visit]:
    """Open a file, or a URL, in a fresh context. A page that asks the network for anything else gets nothing."""
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    found = Visit(page)
    page.on("request", lambda request: found.asked.append(request.url))
    page.on("console", lambda message: found.problems.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.problems.append(str(error)))
    page.goto(address.as_uri() if isinstance(address, Path) else address)
    yield found
    context.close()
