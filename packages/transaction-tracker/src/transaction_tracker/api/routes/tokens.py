"""Tokens: made, listed and revoked while the service runs."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from transaction_tracker.api.access import ANYBODY
from transaction_tracker.api.answers import ADMIN, RoomOf, answer, problems, shows, with_body
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.views import Json, rfc3339
from transaction_tracker.store import Store
from transaction_tracker.store.access import (
    MAX_LABEL_CHARACTERS,
    Scope,
    Token,
    create_token,
    list_tokens,
    revoke_token,
)

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], dependencies=[ADMIN])

_LONGEST_SECONDS = 10 * 365 * 86_400.0


class TokenIn(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    label: str = Field(
        min_length=1,
        max_length=MAX_LABEL_CHARACTERS,
        pattern=r"^[\x20-\x7e]+$",
        description="What it is for.",
    )
    scopes: list[Scope] = Field(min_length=1, max_length=3, description="admin is everything.")
    expires_in: float | None = Field(None, gt=0, le=_LONGEST_SECONDS, description="Seconds.")


class TokenView(BaseModel):
    """A token; its text cannot be had again."""

    id: str
    label: str
    scopes: list[Scope]
    created_at: str
    expires_at: str | None
    last_used_at: str | None = Field(description="Some minutes coarse.")
    revoked_at: str | None


class NewToken(TokenView):
    """A new token with its text, which is shown only here."""

    token: str


class TokenList(BaseModel):
    """All tokens, the oldest first."""

    tokens: list[TokenView]


@router.post(
    "",
    operation_id="createToken",
    status_code=201,
    responses={201: shows(NewToken, "Keep its text now."), **with_body()},
)
async def create(wanted: TokenIn, request: Request, room: RoomOf) -> Response:
    """Make a token. No Idempotency-Key: the answer must be stored nowhere.

    The first one needs the scope `admin`: from then on nobody comes in without a token.
    """
    if request.state.principal is ANYBODY and "admin" not in wanted.scopes:
        detail = "the first token needs the scope admin: without one, nobody could make others"
        raise ProblemError(409, detail, kind="no-admin")
    make = partial(
        create_token, label=wanted.label, scopes=wanted.scopes, expires_in=wanted.expires_in
    )
    try:
        text, token = await Store.run(make)
    except ValueError as error:  # too many; the rest was checked
        raise ProblemError(409, str(error), kind="too-many-tokens") from None
    room.tokens.forget()
    return answer({"token": text, **_view(token)}, 201)


@router.get("", operation_id="listTokens", responses={200: shows(TokenList), **problems()})
async def list_all(room: RoomOf) -> Response:
    """List the tokens that ever were."""
    return answer({"tokens": [_view(token) for token in await Store.run(list_tokens)]})


@router.delete(
    "/{id}",
    operation_id="revokeToken",
    responses={200: shows(TokenView, "As it is now."), **problems(404, 422)},
)
async def revoke(
    id: Annotated[str, Path(max_length=16)],  # noqa: A002 - the path's word
    room: RoomOf,
) -> Response:
    """Accept a token no more, from now on."""
    await Store.run(partial(revoke_token, token=id))
    room.tokens.forget()
    for token in await Store.run(list_tokens):
        if token.id == id:
            return answer(_view(token))
    detail = "there is no such token; GET /v1/tokens lists them"
    raise ProblemError(404, detail, kind="unknown-token")


def _view(token: Token) -> Json:
    return {
        "id": token.id,
        "label": token.label,
        "scopes": sorted(token.scopes),
        "created_at": rfc3339(token.created_at),
        "expires_at": _time(token.expires_at),
        "last_used_at": _time(token.last_used_at),
        "revoked_at": _time(token.revoked_at),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)
