"""`openai:NAME`: a model behind OpenAI's API, or a server that speaks it."""

from __future__ import annotations

from s2eval.errors import UsageError
from s2eval.models.model_kind import Access, ModelKind, ModelService


def _service(name: str, access: Access) -> ModelService:
    from s2eval.llm.batch import BatchService
    from s2eval.llm.client import OpenAIService

    if not name:
        raise UsageError("openai: expected openai:NAME")
    direct = OpenAIService(access.base_url, budget=access.budget, **access.remote)
    service: OpenAIService | BatchService = direct
    if access.batches is not None:
        service = BatchService(access.base_url, None, access.batches, budget=access.budget, wait=False, say=access.say)
    return ModelService(name, direct.name(name), service, server=direct)


OPENAI = ModelKind("openai", "openai:NAME", service=_service, remote=True)
