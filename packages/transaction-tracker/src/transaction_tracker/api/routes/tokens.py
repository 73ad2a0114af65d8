"""Create, list and revoke tokens."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from transaction_tracker.api.access import ANYBODY
from transaction_tracker.api.answers import ADMIN, Api, answer, problems, shows, with_body
from transaction_tracker.api.models import optional_time, rfc3339
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.validation import LABEL_PATTERN
from transaction_tracker.store import Store
from transaction_tracker.store.access import (
    MAX_LABEL_CHARACTERS,
    Scope,
    Token,
    create_token,
    list_tokens,
    revoke_token,
)

router: APIRouter = APIRouter(prefix="/v1/tokens", tags=["tokens"], dependencies=[ADMIN])

MAX_LIFETIME_SECONDS = 10 * 365 * 86_400.0


class TokenIn(BaseModel):
    """A new token."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    label: str = Field(
        min_length=1,
        max_length=MAX_LABEL_CHARACTERS,
        pattern=LABEL_PATTERN,
        description="Purpose of the token.",
    )
    scopes: list[Scope] = Field(
        min_length=1, max_length=3, description="`admin` includes all scopes."
    )
    expires_in: float | None = Field(
        None, gt=0, le=MAX_LIFETIME_SECONDS, description="Lifetime in seconds. Default: unlimited."
    )


@dataclass(kw_only=True)
class TokenView:
    """A token, without its text."""

    id: Annotated[
        str, Field(description="Id of the token, which is also the middle part of its text.")
    ]
    label: Annotated[str, Field(description="Purpose of the token.")]
    scopes: Annotated[
        list[Scope], Field(description="What its bearer can do; `admin` includes all scopes.")
    ]
    created_at: Annotated[str, Field(description="Time when it was created.")]
    expires_at: Annotated[
        str | None, Field(description="Time after which it is refused; null if it does not expire.")
    ]
    last_used_at: Annotated[str | None, Field(description="Updated at most every 10 minutes.")]
    revoked_at: Annotated[
        str | None, Field(description="Time when it was revoked; null if it was not.")
    ]


@dataclass(kw_only=True)
class NewToken(TokenView):
    """A new token with its text, which is shown only once."""

    token: Annotated[
        str, Field(description="Text of the token, for the header `Authorization: Bearer`.")
    ]


@dataclass(kw_only=True)
class TokenList:
    """All tokens, the oldest first."""

    tokens: Annotated[
        list[TokenView], Field(description="All tokens, including revoked and expired ones.")
    ]


@router.post(
    "",
    operation_id="createToken",
    status_code=201,
    responses={201: shows(NewToken, "The token; its text is not shown again."), **with_body()},
)
async def create(wanted: TokenIn, request: Request, api: Api) -> Response:
    """Create a token.

    This path accepts no Idempotency-Key, since its response must not be stored. The first token
    must have the scope `admin`: once it exists, every request needs a token.
    """
    if request.state.principal is ANYBODY and "admin" not in wanted.scopes:
        detail = "the first token must have the scope admin; otherwise no further token can be made"
        raise ProblemError(409, detail, kind="no-admin")
    make = partial(
        create_token, label=wanted.label, scopes=wanted.scopes, expires_in=wanted.expires_in
    )
    try:
        text, token = await Store.run(make)
    except ValueError as error:  # too many; the rest was checked
        raise ProblemError(409, str(error), kind="too-many-tokens") from None
    api.tokens.forget()
    return answer(NewToken(**_fields(token), token=text), 201)


@router.get("", operation_id="listTokens", responses={200: shows(TokenList), **problems()})
async def list_all(api: Api) -> Response:
    """List all tokens, including revoked and expired ones."""
    return answer(TokenList(tokens=[_view(token) for token in await Store.run(list_tokens)]))


@router.delete(
    "/{id}",
    operation_id="revokeToken",
    responses={200: shows(TokenView), **problems(404, 422)},
)
async def revoke(
    id: Annotated[str, Path(max_length=16, description="Id of the token.")],  # noqa: A002
    api: Api,
) -> Response:
    """Revoke a token at once."""
    await Store.run(partial(revoke_token, token=id))
    api.tokens.forget()
    for token in await Store.run(list_tokens):
        if token.id == id:
            return answer(_view(token))
    detail = "unknown token; GET /v1/tokens lists the tokens"
    raise ProblemError(404, detail, kind="unknown-token")


def _fields(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "label": token.label,
        "scopes": sorted(token.scopes),
        "created_at": rfc3339(token.created_at),
        "expires_at": optional_time(token.expires_at),
        "last_used_at": optional_time(token.last_used_at),
        "revoked_at": optional_time(token.revoked_at),
    }


def _view(token: Token) -> TokenView:
    return TokenView(**_fields(token))
