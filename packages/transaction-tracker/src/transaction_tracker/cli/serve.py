"""``txtrack serve``: run the service."""

import asyncio
import logging
import socket
from functools import partial
from importlib.metadata import version
from typing import Annotated

from cyclopts import Parameter

from beamish import ExitError, StartError, run
from transaction_tracker.api import WEB, Web
from transaction_tracker.api.descriptors import raise_limit
from transaction_tracker.cli import output
from transaction_tracker.cli.exits import NO_SOURCE, TROUBLE, BadInputError, CommandError
from transaction_tracker.cli.flags import NO_FLAGS, ConfigurationFlags, unusable
from transaction_tracker.cli.logs import log_everything, redactors, show_logs
from transaction_tracker.domain import TrackerError
from transaction_tracker.service import Settings, TransactionTrackerApplication
from transaction_tracker.service.standby import Standby
from transaction_tracker.settings import Configuration, ConfigurationError
from transaction_tracker.settings.convert import (
    application_settings,
    application_source,
    web_options,
)
from transaction_tracker.sources import SourceError
from transaction_tracker.sources.http_polling import HttpPollingSource
from transaction_tracker.store import DatabaseUrl, LeaseHolder, StoreError
from transaction_tracker.store.garbage_collection import tune_collector

logger: logging.Logger = logging.getLogger("transaction_tracker")

_GAVE_UP = (
    "the service stopped because a process kept crashing after restarts; see the errors above. "
    "No data is lost: when you start the service again, it resumes"
)


def serve(
    *,
    standby: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    flags: ConfigurationFlags = NO_FLAGS,
) -> None:
    """Run the service: track transactions, deliver events, serve the HTTP API.

    SIGTERM and Ctrl-C stop the service in order: it accepts no new requests, finishes requests and
    deliveries in progress, and closes the database last. A second signal kills it. In each case,
    no data is lost, and the service resumes at its next start.

    An address that other machines can reach requires a token: txtrack token create.

    Exit status: 0 after a signal to stop; 1 after an error; 2 for an invalid configuration; 6 if no
    provider can be reached, or one is on another chain; 130 or 143 after a second signal.

    Args:
        standby: Stand by while another service owns the PostgreSQL database, and take over when it
            stops or fails.
    """
    configuration = flags.load()
    if standby:
        _check_database(configuration.database_url)
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
        if standby:
            run(_standby(configuration, settings, source).run())
        else:
            application = TransactionTrackerApplication(settings, source=source)
            run(_serve(application, configuration))
    except (StartError, ExitError, StoreError, OSError) as error:
        # The last two are raised by a standby, which has no process that could fail to start.
        failed = failure(error)
        if logs.format == "json":
            logger.critical("the service stops: %s", failed, extra={"status": failed.status})
            failed.logged = True
        raise failed from error


async def _serve(application: TransactionTrackerApplication, configuration: Configuration) -> None:
    async with application:
        await _started(configuration, application)
        await asyncio.get_running_loop().create_future()


def _standby(
    configuration: Configuration, settings: Settings, source: HttpPollingSource | None
) -> Standby:
    """Return what runs the application by turns with that of another machine."""
    web = web_options(configuration)
    database = configuration.database
    holder = LeaseHolder(database.lease, web.public_url)
    # The standby is ready for systemd, too, and not only while its application runs.
    settings = settings.replace(notify_systemd=False)

    def create(listener: socket.socket) -> TransactionTrackerApplication:
        return TransactionTrackerApplication(
            settings, source=source, holder=holder, listener=listener
        )

    return Standby(
        configuration.database_url, holder, web, create, partial(_started, configuration)
    )


def _check_database(database: DatabaseUrl) -> None:
    if not database.is_postgresql:
        raise BadInputError(
            "--standby requires a PostgreSQL database, which two machines can reach: set "
            f"database.url to postgresql://USER:PASSWORD@HOST/NAME, got {database}"
        )


async def _started(
    configuration: Configuration, application: TransactionTrackerApplication
) -> None:
    """Report that the application runs."""
    tune_collector()
    url = await Web.url(WEB)
    names = ", ".join(tree.name for tree in application.sources)
    logger.info(
        "the service is running",
        extra={"url": url, "source": names, "open": application.open},
    )
    if configuration.logs.format == "text":
        _introduce(url, "0x…" if configuration.source.type == "ethereum" else "ID")


def failure(error: BaseException) -> CommandError:
    """Return why the service did not start, or stopped by itself.

    The message is the text of our first error in the chain, or otherwise of the last cause.
    """
    if isinstance(error, ExitError) and error.reason == "shutdown":
        return CommandError(_GAVE_UP, TROUBLE)
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    ours = [cause for cause in causes if isinstance(cause, TrackerError)]
    cause = ours[0] if ours else causes[-1]
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return CommandError(text, NO_SOURCE if isinstance(cause, SourceError) else TROUBLE)


def _introduce(url: str, transaction: str) -> None:
    at = "" if url == "http://127.0.0.1:8080" else f"TXTRACK_URL={url} "
    output.say(
        f"txtrack {version('transaction-tracker')} listens on {url}. Press Ctrl-C to stop it.\n"
        f"  track a transaction    {at}txtrack add {transaction}\n"
        f"  wait for its end       {at}txtrack wait {transaction}\n"
        f"  print events           {at}txtrack events --follow\n"
        f"  open the dashboard     {url}\n"
        f"  receive webhooks       {at}txtrack webhook add https://…\n"
        f"  read the API's docs    {url}/docs"
    )
