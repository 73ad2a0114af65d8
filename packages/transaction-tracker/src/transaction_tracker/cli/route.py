"""``txtrack route``: serve one HTTP API in front of the shards of a service."""

import asyncio
import logging

from beamish import ExitError, StartError, run
from transaction_tracker.api.descriptors import raise_limit
from transaction_tracker.cli import output
from transaction_tracker.cli.exits import BadInputError
from transaction_tracker.cli.flags import NO_FLAGS, ConfigurationFlags
from transaction_tracker.cli.logs import log_everything, redactors, show_logs
from transaction_tracker.cli.serve import failure
from transaction_tracker.router.application import ROUTER, RouterApplication, RouterWeb
from transaction_tracker.service.notify import ready
from transaction_tracker.settings import Configuration
from transaction_tracker.settings.convert import web_options

logger: logging.Logger = logging.getLogger("transaction_tracker")


def route(*, flags: ConfigurationFlags = NO_FLAGS) -> None:
    """Serve one HTTP API in front of the shards of a service.

    It passes each request to the shard that tracks the transaction, and merges lists and events of
    all shards. While a shard is unavailable, only its transactions are. The router stores nothing,
    so any number of routers can run.

    Exit status: 0 after a signal to stop; 1 after an error; 2 for an invalid configuration; 130 or
    143 after a second signal.
    """
    configuration = flags.load()
    if not configuration.router.shards:
        raise BadInputError(
            'router.shards must name the URLs of each shard, such as [["http://10.0.0.1:8080"]]'
        )
    logs = configuration.logs
    handler = show_logs(logs.format, logs.level, redact=redactors(configuration))
    if logs.format == "json":
        log_everything(handler)
    raise_limit()
    try:
        run(_route(configuration))
    except (StartError, ExitError, OSError) as error:
        raise failure(error) from error


async def _route(configuration: Configuration) -> None:
    section = configuration.router
    application = RouterApplication(
        section.shards, section.map, web_options(configuration), section.timeout
    )
    async with application, ready():
        url = await RouterWeb.url(ROUTER)
        logger.info("the router is running", extra={"url": url, "shards": section.map.count})
        if configuration.logs.format == "text":
            output.say(
                f"txtrack route listens on {url} for {section.map.count} shards. "
                "Press Ctrl-C to stop it."
            )
        await asyncio.get_running_loop().create_future()
