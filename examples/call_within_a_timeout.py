"""`asyncio.timeout` around calls: the caller gives up, the server goes on unharmed.

A call has a time limit of its own, 5 seconds unless told otherwise. `asyncio.timeout` limits
several steps together; what it cancels is the waiting, and the late reply is dropped.

Run it: ``python examples/call_within_a_timeout.py``
"""

import asyncio

from beamish import CallTimeoutError, From, GenServer, NoReply, call, run


class Oracle(GenServer):
    """Takes its time, and answers later: meanwhile it takes other calls."""

    def __init__(self) -> None:
        self.waiting: list[From] = []

    @call
    def answer(self, question: str, *, from_: From) -> NoReply:
        """Answer a question, when the time has come."""
        self.waiting.append(from_)
        return NoReply()

    @call
    def give_answers(self) -> int:
        """Answer all questions, late ones too; return how many there were."""
        for asker in self.waiting:
            GenServer.reply(asker, "42")
        return len(self.waiting)


async def main() -> None:
    oracle = await Oracle.start_link()
    try:
        async with asyncio.timeout(0.02):
            await Oracle.answer(oracle, "What is the answer?")
            await Oracle.answer(oracle, "And what was the question?")
    except TimeoutError:
        print("gave up: 0.02 seconds are over")

    try:
        await Oracle.answer.timeout(0.01)(oracle, "Are you there?")
    except CallTimeoutError as error:
        print(error)

    print(f"the server lives, and answered {await Oracle.give_answers(oracle)} questions too late")


if __name__ == "__main__":
    run(main())
