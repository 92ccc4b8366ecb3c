"""What an AWS client raises, translated into ``bot.model.errors``.

The message names the permission and the resource that Quarterdeck asked for, taken from its own
call. AWS's text is quoted only where it cannot hold credentials: the answers to a bad signature
echo the access key and the signed request, so those are never quoted.

Error codes: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html and the
errors that botocore's models of ECS, ECR and STS list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

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

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "SlowDown",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
        "OptInRequired",
    }
)
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "AuthFailure",
    }
)
_WRONG_CATALOG = {
    "ClusterNotFoundException": "Check the region and the cluster's name in the catalog.",
    "ServiceNotFoundException": "Check the cluster and the service's name in the catalog.",
    "ServiceNotActiveException": "The service is being deleted or is inactive; create it again.",
    "RepositoryNotFoundException": "Check the registry, region and repository in the catalog.",
    "NamespaceNotFoundException": "The service's Service Connect namespace is gone; create it.",
}
_UNSUPPORTED = frozenset(
    {
        "UnsupportedFeatureException",
        "UnknownOperationException",
        "UnknownOperation",
        "InvalidAction",
        "NotImplemented",
    }
)
_REFRESH_HINT = (
    "Renew the credentials of the machine or role that Quarterdeck runs as, then retry; "
    "`quarterdeck doctor` shows whom AWS takes it for."
)
_NOT_SENT = (
    aws.EndpointConnectionError,
    aws.ConnectTimeoutError,
    aws.ProxyConnectionError,
    aws.SSLError,
)
_NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.NoAuthTokenError,
    aws.TokenRetrievalError,
    aws.UnknownTokenProviderError,
    aws.MetadataRetrievalError,
    aws.SSOError,
    aws.LoginError,
    aws.RefreshWithMFAUnsupportedError,
)
_BAD_SETTINGS = (
    aws.NoRegionError,
    aws.InvalidRegionError,
    aws.ProfileNotFound,
    aws.ConfigNotFound,
    aws.ConfigParseError,
    aws.InvalidConfigError,
    aws.InfiniteLoopConfigError,
    aws.BaseEndpointResolverError,
)


class Unsupported(Terminal):
    """This endpoint does not know the operation; the caller goes another way."""

    reason_code = "UNSUPPORTED"


@dataclass(frozen=True, slots=True)
class Call:
    """One call to AWS: ``permission`` as IAM names it (``ecs:UpdateService``), and on what."""

    permission: str
    resource: str
    writes: bool = False

    @property
    def text(self) -> str:
        """How messages name it."""
        return f"{self.permission} on {self.resource}"


@contextmanager
def asking(permission: str, resource: str, *, writes: bool = False) -> Iterator[None]:
    """Raise what AWS answers inside the block as one of ours; see the module's text.

    Read the answer inside the block as well: what lacks something that AWS always sends comes
    from a proxy or was cut short, and is no answer.
    """
    try:
        yield
    except aws.ClientError as error:
        raise _refused(error, Call(permission, resource, writes)) from None
    except (aws.BotoCoreError, ResponseParserError) as error:
        raise _unanswered(error, Call(permission, resource, writes)) from None
    except RuntimeError as error:
        # What botocore raises where a role's fresh credentials are expired by our own clock.
        if "credentials" not in str(error):
            raise
        raise _no_credentials(error, Call(permission, resource, writes)) from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(error, Call(permission, resource, writes)) from error


def _unanswered(error: Exception, call: Call) -> QuarterdeckError:
    """The call got no answer that could be read."""
    kind = type(error).__name__
    if isinstance(error, _NOT_SENT):
        return Unreachable(f"AWS could not be reached for {call.text} ({kind}).")
    if isinstance(error, _NO_CREDENTIALS):
        return _no_credentials(error, call)
    if isinstance(error, _BAD_SETTINGS):
        return Misconfigured(f"The AWS settings do not allow {call.text} ({kind}).")
    if isinstance(error, (aws.HTTPClientError, aws.IncompleteReadError, ResponseParserError)):
        if call.writes:
            return Unknown(
                f"The answer to {call.text} was lost ({kind}); it may have taken effect."
            )
        return Unreachable(f"AWS did not answer {call.text} ({kind}).")
    return Terminal(f"The AWS client refused to send {call.text} ({kind}).")


def _unreadable(error: Exception, call: Call) -> QuarterdeckError:
    """Something answered that does not speak as AWS does; quoted is only what is wrong with it."""
    said = f"The answer to {call.text} cannot be read ({type(error).__name__})"
    if call.writes:
        return Unknown(f"{said}; it may have taken effect.")
    return Unreachable(f"{said}.")


def _no_credentials(error: Exception, call: Call) -> AccessDenied:
    return AccessDenied(
        f"No usable AWS credentials were found for {call.text} ({type(error).__name__}).",
        hint=_REFRESH_HINT,
    )


def _refused(error: aws.ClientError, call: Call) -> QuarterdeckError:
    """AWS answered with an error."""
    if error.operation_name.startswith("AssumeRole"):
        # Raised while fetching credentials, before the call itself was sent.
        call = Call(f"sts:{error.operation_name}", f"the role for {call.resource}")
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in _THROTTLED or _status(error) == HTTPStatus.TOO_MANY_REQUESTS:
        return _throttled(error, call)
    known = _by_code(code, error, call)
    if known is not None:
        return known
    if _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if call.writes:
            return Unknown(
                f"AWS failed while answering {call.text} ({code}); it may have taken effect."
            )
        return Transient(f"AWS failed to answer {call.text} ({code}).")
    return Terminal(f"AWS refused {call.text}: {_said(error)} ({code}).")


def _by_code(code: str, error: aws.ClientError, call: Call) -> QuarterdeckError | None:
    if code in _CREDENTIALS:
        return AccessDenied(
            f"AWS did not accept the credentials used for {call.text} ({code}).", hint=_REFRESH_HINT
        )
    if code in _DENIED:
        return AccessDenied(
            f"AWS denied {_denied(error) or call.text}.",
            hint="Allow it in the IAM policy of the role that Quarterdeck uses.",
        )
    if code in _WRONG_CATALOG:
        return Misconfigured(
            f"AWS does not know {call.resource}: {_said(error)} ({code}).",
            hint=_WRONG_CATALOG[code],
        )
    if code in _UNSUPPORTED:
        return Unsupported(f"AWS does not support {call.text} here ({code}).")
    if code == "ClientException" and "concurrent" in _said(error):
        # "Too many concurrent attempts to create a new revision of the specified family."
        return Transient(f"AWS asked to repeat {call.text} later: {_said(error)}")
    return None


def _throttled(error: aws.ClientError, call: Call) -> Throttled:
    fault = Throttled(f"AWS limits the rate of {call.text}.")
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        fault.retry_after = max(0.0, float(headers.get("retry-after", 0.0)))
    except ValueError:  # an HTTP date; the engine's own backoff will do
        fault.retry_after = 0.0
    return fault


def _denied(error: aws.ClientError) -> str:
    """The permission and resource AWS names, without the identity it names beside them."""
    found = re.search(
        r"not authorized to perform: ([\w-]+:\w+)(?: on resource: (arn:[^\s\"']+))?",
        str(error.response.get("Error", {}).get("Message", "")),
    )
    if found is None:
        return ""
    return f"{found[1]} on {found[2]}" if found[2] else ""


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))


def _said(error: aws.ClientError) -> str:
    text = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
    return text[:300].rstrip(".") or "no reason was given"
