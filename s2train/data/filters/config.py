"""`filters:` of a configuration: which filters run, in which order, and a section of thresholds for each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import create_model, field_validator

from s2eval.errors import UnknownNameError
from s2train.data.filters.chain import Filter
from s2train.data.filters.kind import Section
from s2train.data.filters.table import FILTERS, OWN


class _Order(Section):
    order: tuple[str, ...] = tuple(kind.name for kind in OWN)

    if TYPE_CHECKING:  # the sections

        def __getattr__(self, name: str) -> Any: ...

    @field_validator("order")
    @classmethod
    def _names(cls, order: tuple[str, ...]) -> tuple[str, ...]:
        for name in order:
            try:
                FILTERS.find(name)
            except UnknownNameError as error:
                raise ValueError(str(error)) from None
        if twice := [name for name in FILTERS if order.count(name) > 1]:
            raise ValueError(f"filter {twice[0]!r} appears twice")
        return order


if TYPE_CHECKING:
    Filters = _Order
else:
    _sections = {name: (kind.section, kind.section()) for name, kind in FILTERS.items()}
    Filters = create_model("Filters", __base__=_Order, __module__=__name__, **_sections)


def chosen(config: Filters) -> tuple[Filter, ...]:
    """The filters of a configuration with their thresholds, in its order."""
    kinds = [(FILTERS[name], getattr(config, name)) for name in config.order]
    return tuple(Filter(kind.name, partial(kind.run, section)) for kind, section in kinds)
