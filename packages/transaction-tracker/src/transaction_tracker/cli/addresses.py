"""``txtrack address``: manage the watched addresses of a running service."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter
from cyclopts.validators import Number

from transaction_tracker.cli import output
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.commands import TRACK
from transaction_tracker.cli.exits import BAD_INPUT, OK, BadInputError
from transaction_tracker.cli.flags import (
    CONFIGURED,
    STDIN,
    InputFile,
    NoHeader,
    ServiceFlags,
    WholeNumber,
    WholeNumberOrZero,
    number_or_tag,
)
from transaction_tracker.cli.importing import (
    BadLine,
    Form,
    GoodLine,
    Tally,
    batches,
    entries,
    finish,
    progress,
    report,
    text_of,
)
from transaction_tracker.cli.transactions import metadata_object, refusal

app: App = App(
    name="address",
    group=TRACK,
    help="Watch addresses: each payment to one becomes a tracked transaction.",
)

Facts = Mapping[str, Any]

_COLUMNS = ("address", "source", "watched from", "deposits", "open", "passed over", "search")
# Columns of an imported file that are not metadata.
_OPTIONS = ("source", "confirmations", "from_block")


@app.command(usage="Usage: txtrack address add [OPTIONS] ADDRESSES...\n")
async def add(
    *addresses: str,
    source: str | None = None,
    confirmations: str | None = None,
    metadata: tuple[str, ...] = (),
    from_block: WholeNumberOrZero | None = None,
    service: ServiceFlags = CONFIGURED,
) -> int:
    """Watch addresses: each payment to one becomes a tracked transaction.

    When the command returns, the addresses are stored, and each block that is applied from then on
    is compared with them. An address that is watched already stays as it is.

    Exit status: 0; 1 if the service refuses, 2 if an address is invalid, 6 if no service responds.

    Args:
        addresses: Addresses, in lower case or with a valid checksum (EIP-55).
        source: Name of the source. Default: the only chain.
        confirmations: Blocks that make a deposit final, or "safe" or "finalized". Default: the
            service's setting.
        metadata: A name and a value as name=value, which can be repeated, or a JSON object: each
            event of a deposit contains it.
        from_block: Number of the lowest block that is searched for earlier deposits. Default: none
            is searched.
    """
    if not addresses:
        raise BadInputError("give at least one address")
    options: dict[str, Any] = {}
    if source is not None:
        options["source"] = source
    if confirmations is not None:
        options["confirmations"] = number_or_tag(confirmations)
    if metadata:
        options["metadata"] = _metadata(metadata)
    if from_block is not None:
        options["from_block"] = from_block
    refused = 0
    async with service.api() as api:
        for part in _parts(addresses, 10_000):
            answer = await _watch(api, [{"address": each} | options for each in part])
            refused += answer["refused"]
            for result in answer["results"]:
                _show_result(result, as_json=service.as_json)
    return BAD_INPUT if refused else OK


@app.command
async def ls(
    *,
    source: str | None = None,
    limit: WholeNumber | None = None,
    no_header: NoHeader = False,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """List watched addresses with the number of their deposits, sorted by address.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.

    Args:
        source: Only addresses of this source.
        limit: Maximum number of addresses. Default: all.
    """
    async with service.api() as api:
        pages = api.pages("v1/addresses", "addresses", limit, source=source)
        found = [each async for each in pages]
    output.items(found, _COLUMNS, _row, as_json=service.as_json, header=not no_header)


@app.command
async def get(
    address: str, /, *, source: str | None = None, service: ServiceFlags = CONFIGURED
) -> None:
    """Show a watched address: the number of its deposits, and what was passed over.

    Exit status: 0; 1 if it is not watched, 2 for bad input, 6 if no service responds.

    Args:
        address: The address.
        source: Name of the source, if several watch the address.
    """
    async with service.api() as api:
        found = await api.get(_path(address), source=source)
    output.items([found], _COLUMNS, _row, as_json=service.as_json, header=True)


@app.command(usage="Usage: txtrack address rm [OPTIONS] ADDRESSES...\n")
async def rm(
    *addresses: str, source: str | None = None, service: ServiceFlags = CONFIGURED
) -> None:
    """Stop watching addresses; transactions that paid them are still tracked.

    Exit status: 0; 1 if one is not watched, 2 for bad input, 6 if no service responds.

    Args:
        addresses: The addresses.
        source: Name of the source, if several watch the address.
    """
    if not addresses:
        raise BadInputError("give at least one address")
    async with service.api() as api:
        for address in addresses:
            found = await api.delete(_path(address), source=source)
            if service.as_json:
                output.write_json(found)
            else:
                output.say(f"{found['address']} is no longer watched")


@app.command(name="import", usage="Usage: txtrack address import [OPTIONS] [FILE]\n")
async def import_(
    file: InputFile = STDIN,
    /,
    *,
    source: str | None = None,
    from_block: WholeNumberOrZero | None = None,
    batch: Annotated[WholeNumber, Parameter(validator=Number(gte=1, lte=10_000))] = 1_000,
    service: ServiceFlags = CONFIGURED,
) -> int:
    """Watch many addresses, from a file of CSV or with an address in each line.

    The first line of CSV contains the names of the columns: address, and optionally source,
    confirmations, from_block and metadata (a JSON object); all other columns become metadata.
    Empty lines and lines that begin with # are skipped.

    Bad lines are reported on standard error with their numbers; the other lines are imported. A
    line whose address is in an earlier line is bad. After an interruption, run the command again:
    addresses that are watched stay as they are.

    Exit status: 0; 1 if the service refuses, 2 if at least one line is bad, 6 if no service
    responds.

    Args:
        file: File to import; - is standard input.
        source: Name of the source of lines without one.
        from_block: Lowest block that is searched for earlier deposits, for lines without one.
        batch: Number of lines per request.
    """
    given = {"source": source, "from_block": from_block}
    defaults = {name: value for name, value in given.items() if value is not None}
    tally = Tally()
    seen: dict[str, int] = {}
    existing = 0
    with text_of(file) as stream, progress(stream) as moved:
        async with service.api() as api:
            lines = (_once(line, seen) for line in entries(stream, "auto", _FORM))
            for part in batches(lines, batch):
                existing += await _import(api, part, defaults, tally, as_json=service.as_json)
                moved()
    finish(tally, "addresses are watched", as_json=service.as_json)
    if existing and not service.as_json:
        output.say(f"{existing:,} of them were watched already, and stay as they are")
    return BAD_INPUT if tally.bad else OK


def _once(line: GoodLine | BadLine, seen: dict[str, int]) -> GoodLine | BadLine:
    """Return a line, or that an earlier one has its address: only the first one would count.

    Args:
        line: The line.
        seen: Numbers of the earlier lines by their source and address; this one is added.
    """
    if isinstance(line, BadLine):
        return line
    place = f"{line.body.get('source', '')} {line.body['address'].lower()}"
    first = seen.setdefault(place, line.line)
    if first == line.line:
        return line
    return BadLine(line.line, f"the address is in line {first} already, which counts")


async def _import(
    api: Api,
    part: Sequence[GoodLine | BadLine],
    defaults: Facts,
    tally: Tally,
    *,
    as_json: bool,
) -> int:
    """Watch the addresses of some lines; return the number of those that were watched already."""
    good = [line for line in part if isinstance(line, GoodLine)]
    bad = [line for line in part if isinstance(line, BadLine)]
    existing = 0
    if good:
        answer = await _watch(api, [{**defaults, **line.body} for line in good])
        for line, result in zip(good, answer["results"], strict=True):
            if result["status"] == "refused":
                bad.append(BadLine(line.line, refusal(result)))
            else:
                existing += result["existing"]
        tally.accepted += answer["accepted"]
    tally.bad += len(bad)
    for wrong in sorted(bad, key=lambda line: line.line):
        report(wrong, as_json=as_json)
    return existing


def _of_row(number: int, row: Mapping[str, str]) -> GoodLine | BadLine:
    cells = {name: cell for name, cell in row.items() if cell}
    body: dict[str, Any] = {"address": cells.pop("address", "")}
    options = {name: cells.pop(name) for name in _OPTIONS if name in cells}
    if text := options.pop("confirmations", None):
        body["confirmations"] = number_or_tag(text)
    if text := options.pop("from_block", None):
        if not (text.isascii() and text.isdecimal()):
            return BadLine(number, f"the column from_block must be a block number, got {text!r}")
        body["from_block"] = int(text)
    body |= options
    try:
        metadata = json.loads(cells.pop("metadata", "{}"))
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        return BadLine(number, "the column metadata must be a JSON object")
    # All other columns become metadata, which each event contains.
    if metadata | cells:
        body["metadata"] = metadata | cells
    return GoodLine(number, body)


def _of_json(number: int, _text: str) -> BadLine:
    return BadLine(number, "must be an address, or CSV whose header has a column address")


def _of_id(number: int, text: str) -> GoodLine:
    return GoodLine(number, {"address": text})


_FORM = Form(("address",), (*_OPTIONS, "metadata"), _of_row, _of_json, _of_id)


async def _watch(api: Api, wanted: Sequence[Facts]) -> Any:
    # Without an idempotency key: a stored response would not watch a removed address again.
    return await api.post("v1/addresses", {"addresses": wanted})


def _show_result(result: Facts, *, as_json: bool) -> None:
    if as_json:
        output.write_json(result)
    elif result["status"] == "accepted":
        stays = " already, and stays as it is" if result["existing"] else ""
        output.say(f"{result['address']} is watched{stays}")
    else:
        output.note(f"{result['address']}: {refusal(result)}")


def _metadata(given: Sequence[str]) -> dict[str, Any]:
    """Return metadata from names and values, or from a JSON object."""
    if len(given) == 1 and given[0].lstrip().startswith("{"):
        return metadata_object(given[0])
    found: dict[str, Any] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise BadInputError(f"--metadata must be name=value or a JSON object, got {text!r}")
        found[name] = value
    return found


def _parts(items: Sequence[str], size: int) -> Iterator[list[str]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part


def _path(address: str) -> str:
    return f"v1/addresses/{quote(address, safe='')}"


def _row(found: Facts) -> list[object]:
    search = found["search"]
    return [
        found["address"],
        found["source"],
        found["watched_from"],
        found["found"],
        found["open"],
        sum(found["passed_over"].values()),
        None if search is None else f"block {search['next_block']} of {search['to_block']}",
    ]
