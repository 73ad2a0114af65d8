"""``txtrack deliveries``: resuming them after they were frozen."""

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.groups import CARE
from transaction_tracker.cli.service import ServiceFlags

app = App(name="deliveries", group=CARE, help="Resume deliveries after a finality violation.")


@app.command
async def resume(*, service: ServiceFlags | None = None) -> None:
    """Resume the deliveries that a finality violation has frozen.

    When the chain takes back a final state, nothing more is delivered until an operator has looked.
    Once you know what happened, this delivers what has waited, in order.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service answers.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        answer = await api.post("v1/deliveries/resume")
    if flags.as_json:
        output.write_document(answer)
    else:
        output.say("Deliveries go on.")
