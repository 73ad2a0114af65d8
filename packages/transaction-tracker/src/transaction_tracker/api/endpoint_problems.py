"""What goes wrong with a request about a webhook endpoint, as problems."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Path

from transaction_tracker.api.problems import ProblemError
from transaction_tracker.net import ForbiddenAddressError, ForbiddenUrlError, NoAnswerError
from transaction_tracker.outbox.endpoints import UnknownEndpointError
from transaction_tracker.store import DatabaseFailedError, StoreError

EndpointId = Annotated[str, Path(max_length=40, description="The endpoint's id.")]

# Words of the errors about where a URL leads, not about its form.
_ABOUT_PLACES = ("is not allowed", "allow list")
_NEVER_ALLOWED = ("metadata", "unspecified", "multicast")


@contextmanager
def explained() -> Iterator[None]:
    """Raise the errors of the outbox as problems."""
    try:
        yield
    except UnknownEndpointError:
        detail = "there is no such endpoint; GET /v1/endpoints lists them"
        raise ProblemError(404, detail, kind="unknown-endpoint") from None
    except (ForbiddenUrlError, ForbiddenAddressError, NoAnswerError) as error:
        raise refused(_with_way_out(str(error)), "#/url") from None
    except DatabaseFailedError:
        raise
    except StoreError as error:
        raise ProblemError(409, str(error), kind="too-many-endpoints") from None
    except ValueError as error:
        raise refused(str(error)) from None


def _with_way_out(text: str) -> str:
    """Name the option that allows a URL, where one can: clouds' metadata stays refused."""
    if any(words in text for words in _NEVER_ALLOWED):
        return text
    if not any(words in text for words in _ABOUT_PLACES):
        return text
    return f"{text}; webhooks.allow_private in the service's configuration can allow it"


def refused(detail: str, pointer: str = "#") -> ProblemError:
    """Return the problem of a request with a wrong value.

    Args:
        detail: What is wrong.
        pointer: Where in the body, as a JSON pointer (RFC 6901).
    """
    fault = {"detail": detail, "pointer": pointer}
    return ProblemError(422, detail, kind="invalid-request", errors=[fault])
