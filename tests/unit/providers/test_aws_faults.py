from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Terminal,
    Throttled,
    Transient,
    Unknown,
    Unreachable,
)
from bot.providers.aws_faults import Unsupported, asking

SECRET = "AKIASECRETSECRET"


def refused(
    code: str,
    message: str = "",
    status: int = 400,
    operation: str = "UpdateService",
    retry_after: str | None = None,
) -> aws.ClientError:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return aws.ClientError(answer, operation)


def raised(error: Exception, *, writes: bool = True) -> QuarterdeckError:
    with pytest.raises(QuarterdeckError) as caught:  # noqa: SIM117  one raises in the other
        with asking("ecs:UpdateService", "staging/app", writes=writes):
            raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "written", "read"),
    [
        (refused("ThrottlingException"), Throttled, Throttled),
        (refused("Whatever", status=429), Throttled, Throttled),
        (refused("AccessDeniedException"), AccessDenied, AccessDenied),
        (refused("ExpiredTokenException"), AccessDenied, AccessDenied),
        (refused("UnrecognizedClientException"), AccessDenied, AccessDenied),
        (refused("ServerException", status=500), Unknown, Transient),
        (refused("InternalFailure", status=503), Unknown, Transient),
        (refused("ClusterNotFoundException"), Misconfigured, Misconfigured),
        (refused("ServiceNotFoundException"), Misconfigured, Misconfigured),
        (refused("ServiceNotActiveException"), Misconfigured, Misconfigured),
        (refused("RepositoryNotFoundException"), Misconfigured, Misconfigured),
        (refused("InvalidParameterException"), Terminal, Terminal),
        (refused("ClientException", "Too many concurrent attempts"), Transient, Transient),
        (refused("ClientException", "TaskDefinition is inactive"), Terminal, Terminal),
        (refused("UnsupportedFeatureException"), Unsupported, Unsupported),
        (refused("UnknownOperationException"), Unsupported, Unsupported),
        (aws.NoCredentialsError(), AccessDenied, AccessDenied),
        (aws.EndpointConnectionError(endpoint_url="x"), Unreachable, Unreachable),
        (aws.ConnectTimeoutError(endpoint_url="x"), Unreachable, Unreachable),
        (aws.ReadTimeoutError(endpoint_url="x"), Unknown, Unreachable),
        (aws.ConnectionClosedError(endpoint_url="x"), Unknown, Unreachable),
        (aws.HTTPClientError(error="reset"), Unknown, Unreachable),
        (ResponseParserError("not JSON"), Unknown, Unreachable),
        (KeyError("services"), Unknown, Unreachable),
        (TypeError("not a list"), Unknown, Unreachable),
        (ValueError("not JSON"), Unknown, Unreachable),
        (AttributeError("null"), Unknown, Unreachable),
        (aws.NoRegionError(), Misconfigured, Misconfigured),
        (aws.ProfileNotFound(profile="x"), Misconfigured, Misconfigured),
        (aws.ParamValidationError(report="x"), Terminal, Terminal),
    ],
)
def test_each_fault_is_told_by_what_the_caller_can_do(
    error: Exception, written: type[QuarterdeckError], read: type[QuarterdeckError]
) -> None:
    assert type(raised(error)) is written
    assert type(raised(error, writes=False)) is read


def test_the_failing_permission_is_named() -> None:
    fault = raised(refused("AccessDeniedException", "You may not."))
    assert "ecs:UpdateService on staging/app" in fault.message
    assert fault.hint


def test_what_aws_names_goes_before_our_guess_but_not_who_we_are() -> None:
    said = (
        "User: arn:aws:sts::123456789012:assumed-role/bot/quarterdeck is not authorized to "
        "perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/task because no "
        "identity-based policy allows the iam:PassRole action"
    )
    fault = raised(refused("AccessDeniedException", said))
    assert "iam:PassRole on arn:aws:iam::123456789012:role/task." in fault.message
    assert "assumed-role" not in fault.message


def test_a_role_that_cannot_be_assumed_is_what_is_named() -> None:
    fault = raised(refused("AccessDenied", operation="AssumeRole"))
    assert "sts:AssumeRole" in fault.message
    assert isinstance(fault, AccessDenied)


def test_a_fault_while_assuming_a_role_told_nothing() -> None:
    fault = raised(refused("ServerException", status=500, operation="AssumeRole"))
    assert type(fault) is Transient


@pytest.mark.parametrize(
    "code", ["SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken", "AuthFailure"]
)
def test_answers_that_echo_credentials_are_not_quoted(code: str) -> None:
    fault = raised(refused(code, f"The key {SECRET} and the string-to-sign ..."))
    assert SECRET not in fault.message + fault.hint
    assert code in fault.message


def test_the_original_is_not_chained_so_that_no_log_shows_it() -> None:
    fault = raised(refused("SignatureDoesNotMatch", SECRET))
    assert fault.__cause__ is None
    assert fault.__suppress_context__


def test_throttling_says_when_to_come_back() -> None:
    fault = raised(refused("ThrottlingException", retry_after="7"))
    assert isinstance(fault, Throttled)
    assert fault.retry_after == 7.0
    dated = raised(refused("ThrottlingException", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"))
    assert isinstance(dated, Throttled)
    assert dated.retry_after == 0.0


def test_long_answers_are_cut_to_one_line() -> None:
    fault = raised(refused("InvalidParameterException", "bad\n" * 1000))
    assert "\n" not in fault.message
    assert len(fault.message) < 500
