"""Makes of each row the one who judges for it."""

from __future__ import annotations

from routeiq_guard_external.breaker import Breaker
from routeiq_guard_external.config import Options
from routeiq_guard_external.contracts.aporia import Aporia
from routeiq_guard_external.contracts.base import HttpContract, HttpService
from routeiq_guard_external.contracts.generic import GenericApi
from routeiq_guard_external.contracts.lakera import LakeraGuard
from routeiq_guard_external.contracts.model import ModelJudge
from routeiq_guard_external.contracts.openai import OpenAIModeration
from routeiq_guard_external.contracts.own import OwnContract
from routeiq_guard_external.judging import Judge
from routeiq_guard_external.question import Service
from routeiq_guard_external.served import Contract
from routeiq_sdk.gateway import Gateway


def judge_of(options: Options, gateway: Gateway) -> Judge:
    """The row's service, behind its deadline and its breaker."""
    breaker = Breaker(options.breaker_failures, options.breaker_seconds, gateway.clock)
    return Judge(_service(options, gateway), options.timeout, breaker)


def _service(options: Options, gateway: Gateway) -> Service:
    if options.contract is Contract.MODEL:
        assert options.model is not None
        return ModelJudge(gateway, options.model, options.policy, options.additional_provider_specific_params)
    assert options.base is not None
    return HttpService(
        gateway.egress, _contract(options), options.base, options.api_key, options.headers, options.timeout
    )


def _contract(options: Options) -> HttpContract:
    params = options.additional_provider_specific_params
    match options.contract:
        case Contract.OPENAI:
            return OpenAIModeration(options.model, options.categories)
        case Contract.GENERIC:
            return GenericApi(params)
        case Contract.LAKERA:
            return LakeraGuard(options.project_id)
        case Contract.APORIA:
            return Aporia()
        case _:
            return OwnContract(params)
