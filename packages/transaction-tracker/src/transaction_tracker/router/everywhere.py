"""Requests that concern all shards: endpoints, watched addresses, deliveries, tokens, facts."""

import base64
import hmac
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from transaction_tracker.api.answers import answer
from transaction_tracker.api.problems import ProblemError, parsed
from transaction_tracker.domain.webhook_endpoint import PREFIX as SECRET_PREFIX
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.router.shard_client import ShardRequest, ShardResponse
from transaction_tracker.router.shards import (
    Shards,
    first_refusal,
    passed_on,
    returned,
    with_headers,
)
from transaction_tracker.store.endpoints import new_id

_KEY = "idempotency-key"
# The worst comes last.
_HEALTH = ("healthy", "disabled", "failing")
_FLOW = ("flowing", "behind", "stalled", "frozen")

Merge = Callable[[Sequence[Any]], Any]


async def change_all(
    shards: Shards, request: Request, merge: Merge = lambda found: found[0]
) -> Response:
    """Pass a change to all shards, and return their results merged.

    Nothing is changed if a shard is known to be unavailable. A change that fails at one of them
    nevertheless is completed by repeating it: all of them have the same effect twice.
    """
    shards.check_all()
    sent = passed_on(request, await request.body())
    return _merged(await shards.all(sent), merge)


async def read_all(shards: Shards, request: Request, merge: Merge) -> Response:
    """Return what all shards respond, merged."""
    return _merged(await shards.all(passed_on(request)), merge)


async def create_endpoint(shards: Shards, request: Request) -> Response:
    """Add an endpoint to all shards, with the same id and the same secret.

    If it cannot be added to one of them, it is removed again from the others.
    """
    shards.check_all()
    wanted = parsed(await request.body())
    if not isinstance(wanted, dict):
        raise ProblemError(422, "expected an object with a url", kind="invalid-request")
    wanted.setdefault("id", _new_id(request))
    wanted.setdefault("secret", _new_secret(request))
    sent = passed_on(request, orjson.dumps(wanted))
    try:
        responses = await shards.all(sent)
    except Exception:
        await _remove(shards, sent, str(wanted["id"]))
        raise
    refused = first_refusal(responses)
    if refused is not None:
        if any(response.status < 300 for response in responses):
            await _remove(shards, sent, str(wanted["id"]))
        return returned(refused)
    return returned(responses[0])


async def rotate_secret(shards: Shards, request: Request) -> Response:
    """Rotate the secret of an endpoint at all shards, to the same one."""
    shards.check_all()
    body = await request.body()
    wanted = parsed(body) if body else {}
    if not isinstance(wanted, dict):
        raise ProblemError(422, "expected an object", kind="invalid-request")
    wanted.setdefault("secret", _new_secret(request))
    sent = passed_on(request, orjson.dumps(wanted))
    sent = with_headers(sent, {"content-type": "application/json"})
    return _merged(await shards.all(sent), lambda found: found[0])


async def remove_everywhere(shards: Shards, request: Request) -> Response:
    """Delete something at all shards; one that lacks it already is not an error."""
    shards.check_all()
    responses = await shards.all(passed_on(request))
    found = [response for response in responses if response.status != 404]
    return returned(first_refusal(found) or (found or responses)[0])


def endpoints(found: Sequence[Any]) -> Any:
    """Return the endpoints of all shards, each once."""
    by_id: dict[str, list[Any]] = {}
    for page in found:
        for endpoint in page["endpoints"]:
            by_id.setdefault(endpoint["id"], []).append(endpoint)
    return {"endpoints": [endpoint_of(each) for each in by_id.values()]}


def endpoint_of(found: Sequence[Any]) -> Any:
    """Return an endpoint with its delivery status at all shards: sums, and the worst."""
    failing = [each["failing_since"] for each in found if each["failing_since"] is not None]
    due = [each["next_attempt_at"] for each in found if each["next_attempt_at"] is not None]
    last = max(found, key=lambda each: each["last_error_at"] or "")
    return found[0] | {
        "health": max((each["health"] for each in found), key=_rank(_HEALTH)),
        "failing_since": min(failing, default=None),
        "pending": sum(each["pending"] for each in found),
        "dead": sum(each["dead"] for each in found),
        "last_attempt_at": max(each["last_attempt_at"] or "" for each in found) or None,
        "last_error": last["last_error"],
        "last_error_at": last["last_error_at"],
        "next_attempt_at": min(due, default=None),
    }


def address_of(found: Sequence[Any]) -> Any:
    """Return a watched address with the deposits of all shards: sums, and the first search."""
    searches = [each["search"] for each in found if each["search"] is not None]
    reasons = found[0]["passed_over"]
    return found[0] | {
        "found": sum(each["found"] for each in found),
        "open": sum(each["open"] for each in found),
        "passed_over": {name: sum(each["passed_over"][name] for each in found) for name in reasons},
        "search": min(searches, key=lambda search: search["next_block"], default=None),
    }


def deliveries(found: Sequence[Any]) -> Any:
    """Return the status of the deliveries of all shards: sums, and the worst."""
    frozen = [each["frozen_since"] for each in found if each["frozen_since"] is not None]
    oldest = [each["oldest_pending_at"] for each in found if each["oldest_pending_at"] is not None]
    return {
        "frozen_since": min(frozen, default=None),
        "flow": max((each["flow"] for each in found), key=_rank(_FLOW)),
        "frozen_sources": sorted({name for each in found for name in each["frozen_sources"]}),
        "pending": sum(each["pending"] for each in found),
        "oldest_pending_at": min(oldest, default=None),
        # An endpoint that fails at several shards is one.
        "failing_endpoints": max(each["failing_endpoints"] for each in found),
    }


def service(shards: Shards, found: Any) -> Any:
    """Return the facts about the service, with its shards."""
    places = [
        {
            "number": client.number,
            "owner": client.owner,
            "available": client.is_up is not False,
            "ready": client.is_ready,
        }
        for client in shards.clients
    ]
    return found | {"shards": places, "former_counts": list(shards.map.counts[1:])}


def _merged(responses: Sequence[ShardResponse], merge: Merge) -> Response:
    refused = first_refusal(responses)
    if refused is not None:
        return returned(refused)
    if not responses[0].body:
        return returned(responses[0])
    return answer(merge([response.json for response in responses]), responses[0].status)


async def _remove(shards: Shards, created: ShardRequest, endpoint: str) -> None:
    headers = with_headers(created, {_KEY: None, "content-type": None}).headers
    sent = ShardRequest("DELETE", f"/v1/endpoints/{endpoint}", headers)
    for client in shards.clients:
        try:
            await client.request(sent)
        except Exception:  # noqa: S112 - it stays visible: GET /v1/endpoints lists it
            continue


def _new_id(request: Request) -> str:
    derived = _derived(request, "id")
    return new_id() if derived is None else f"ep_{derived.hex()[:24]}"


def _new_secret(request: Request) -> str:
    derived = _derived(request, "secret")
    if derived is None:
        return WebhookSecret.generate().reveal()
    return SECRET_PREFIX + base64.b64encode(derived).decode()


def _derived(request: Request, purpose: str) -> bytes | None:
    """Return 32 bytes that are the same when a request is repeated; ``None`` without such a key.

    So each shard gets the same request again, and repeats its stored response. Nobody without the
    token can compute them.
    """
    key, token = request.headers.get(_KEY), request.headers.get("authorization")
    if key is None or token is None:
        return None
    return hmac.digest(token.encode("latin-1"), f"{purpose} {key}".encode(), "sha256")


def _rank(words: Sequence[str]) -> Callable[[str], int]:
    return lambda word: words.index(word) if word in words else len(words)
