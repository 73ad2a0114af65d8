"""Problems of requests about webhook endpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Path

from transaction_tracker.api.problems import ProblemError
from transaction_tracker.delivery.endpoints import UnknownEndpointError
from transaction_tracker.net import ForbiddenAddressError, ForbiddenUrlError, NoAnswerError
from transaction_tracker.store import DatabaseFailedError, StoreError

EndpointId = Annotated[str, Path(max_length=40, description="Id of the endpoint.")]


@contextmanager
def explained() -> Iterator[None]:
    """Convert errors of webhook endpoints to problems."""
    try:
        yield
    except UnknownEndpointError:
        detail = "unknown endpoint; GET /v1/endpoints lists the endpoints"
        raise ProblemError(404, detail, kind="unknown-endpoint") from None
    except (ForbiddenUrlError, ForbiddenAddressError) as error:
        fix = "; webhooks.allow_private in the service's configuration can allow it"
        raise refused(f"{error}{fix if error.can_be_allowed else ''}", "#/url") from None
    except NoAnswerError as error:
        raise refused(str(error), "#/url") from None
    except DatabaseFailedError:
        raise
    except StoreError as error:
        raise ProblemError(409, str(error), kind="too-many-endpoints") from None
    except ValueError as error:
        raise refused(str(error)) from None


def refused(detail: str, pointer: str = "#") -> ProblemError:
    """Return the problem of a request with a wrong value.

    Args:
        detail: Text of the problem.
        pointer: JSON pointer to the value in the body (RFC 6901).
    """
    error = {"detail": detail, "pointer": pointer}
    return ProblemError(422, detail, kind="invalid-request", errors=[error])
