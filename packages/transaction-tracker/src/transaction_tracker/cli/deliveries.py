"""``txtrack deliveries``: resume frozen deliveries."""

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.groups import MANAGE
from transaction_tracker.cli.service import ServiceFlags

app = App(name="deliveries", group=MANAGE, help="Resume deliveries after a finality violation.")


@app.command
async def resume(*, service: ServiceFlags | None = None) -> None:
    """Resume the deliveries that a finality violation has frozen.

    When the chain takes back a final state, the service stops all deliveries. Find out what
    happened, then resume: pending events are delivered in order.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        state = await api.post("v1/deliveries/resume")
    if flags.as_json:
        output.write_document(state)
    else:
        output.say("Deliveries are resumed.")
