"""``txtrack serve``: the service."""

import asyncio
import logging
from importlib.metadata import version

from beamish import ExitError, StartError, run
from transaction_tracker.api import WEB, Web
from transaction_tracker.api.descriptors import raise_limit
from transaction_tracker.application import TransactionTrackerApplication
from transaction_tracker.cli import output
from transaction_tracker.cli.failures import failure
from transaction_tracker.cli.flags import ConfigurationFlags, unusable
from transaction_tracker.cli.logs import log_everything, show_logs
from transaction_tracker.cli.notify import ready
from transaction_tracker.cli.retention import retention
from transaction_tracker.cli.secrets import redactors
from transaction_tracker.settings import Configuration, ConfigurationError
from transaction_tracker.settings.convert import application_settings, application_source
from transaction_tracker.store.garbage_collection import freeze_heap

logger = logging.getLogger("transaction_tracker")


def serve(*, flags: ConfigurationFlags | None = None) -> None:
    """Run the service: follow transactions, deliver events, answer the HTTP API.

    SIGTERM and Ctrl-C stop it in order: it takes no more requests, lets those under way and the
    deliveries end, and closes the database last. A second signal kills what is left. Whatever
    stops it, nothing is lost: it goes on where it was.

    An address that others can reach is refused until there is a token: txtrack token create.

    Exit status: 0 when told to stop; 1 for trouble; 2 for a configuration that cannot be used; 6
    if no provider can be reached, or one is on another chain; 130 or 143 when it was killed.
    """
    configuration = (flags or ConfigurationFlags()).load()
    try:
        settings = application_settings(configuration)
        source = application_source(configuration)
    except ConfigurationError as error:
        raise unusable(error) from None
    logs = configuration.logs
    handler = show_logs(logs.format, logs.level, redact=redactors(configuration))
    if logs.format == "json":
        log_everything(handler)
    raise_limit()
    try:
        application = TransactionTrackerApplication(settings, source=source)
        run(_serve(application, configuration))
    except (StartError, ExitError) as error:
        failed = failure(error)
        if logs.format == "json":
            logger.critical("the service ends: %s", failed, extra={"status": failed.status})
            failed.logged = True
        raise failed from error


async def _serve(application: TransactionTrackerApplication, configuration: Configuration) -> None:
    async with application, retention(configuration.retention.ended), ready():
        freeze_heap()
        url = await Web.url(WEB)
        logger.info(
            "the service runs",
            extra={"url": url, "source": application.source.name, "open": application.open},
        )
        if configuration.logs.format == "text":
            _introduce(url, "0x…" if configuration.http is None else "ID")
        await asyncio.get_running_loop().create_future()


def _introduce(url: str, transaction: str) -> None:
    at = "" if url == "http://127.0.0.1:8080" else f"TXTRACK_URL={url} "
    output.say(
        f"txtrack {version('transaction-tracker')} listens on {url}. Ctrl-C stops it.\n"
        f"  follow a transaction   {at}txtrack add {transaction}\n"
        f"  wait for its end       {at}txtrack wait {transaction}\n"
        f"  see what happens       {at}txtrack events --follow\n"
        f"  watch in a browser     {url}\n"
        f"  be told                {at}txtrack webhook add https://…\n"
        f"  ask with a program     {url}/docs"
    )
