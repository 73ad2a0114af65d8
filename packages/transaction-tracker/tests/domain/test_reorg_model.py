"""Random reorganisations: chain and transitions must agree with a naive model."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.domain import (
    Agenda,
    Buried,
    Included,
    KeptChain,
    Link,
    Observation,
    Orphaned,
    Outcome,
    Overtaken,
    Tracked,
    Transaction,
    transition,
)

DEPTH = 4  # required confirmations; no reorganisation here is as deep, so no final state changes
NAMES = ("a", "a2", "b", "c")
TRANSACTIONS = {
    "a": Transaction("a", slots=("alice:1",), content="pay"),
    "a2": Transaction("a2", slots=("alice:1",), content="pay"),
    "b": Transaction("b", slots=("bob:1",), content="pay"),
    "c": Transaction("c", slots=("carol:1",), content="pay"),
}


@dataclass(frozen=True)
class Block:
    link: Link
    names: frozenset[str]


def child(parent: Block, names: frozenset[str], serial: int) -> Block:
    number = parent.link.number + 1
    return Block(Link(number, f"{number}#{serial}", parent.link.hash), names)


class Model:
    """The expected state of each transaction, computed from the whole chain each time."""

    def __init__(self) -> None:
        self.blocks = [Block(Link(0, "genesis", "nothing"), frozenset())]
        self.ended: dict[str, str] = {}
        self.serial = 0

    def reorganise(self, depth: int, bodies: list[frozenset[str]]) -> list[Block]:
        """Replace the top ``depth`` blocks, and return the new ones."""
        kept = self.blocks[: max(1, len(self.blocks) - depth)]
        used = {TRANSACTIONS[name].slots for block in kept for name in block.names}
        branch: list[Block] = []
        for body in bodies:
            self.serial += 1
            fitting = set()
            for name in sorted(body):
                if TRANSACTIONS[name].slots not in used:
                    used.add(TRANSACTIONS[name].slots)
                    fitting.add(name)
            branch.append(child([*kept, *branch][-1], frozenset(fitting), self.serial))
        self.blocks = [*kept, *branch]
        return branch

    def state(self, name: str) -> tuple[str, int | None]:
        height = self.blocks[-1].link.number
        for block in self.blocks:
            for other in block.names:
                if TRANSACTIONS[other].slots == TRANSACTIONS[name].slots:
                    deep = height - block.link.number + 1 >= DEPTH
                    number = block.link.number
                    if other == name:
                        return ("confirmed" if deep else "mined"), number
                    return ("replaced" if deep else "superseded"), number
        return "pending", None


class Played:
    """The state of each transaction by the real chain, agenda and transitions."""

    def __init__(self, genesis: Block) -> None:
        self.blocks = {genesis.link.hash: genesis}
        self.chain = KeptChain(DEPTH + 8).push(genesis.link)
        self.agenda = Agenda()
        self.tracked = {
            name: Tracked(name, DEPTH, state="pending", slots=tx.slots, content=tx.content)
            for name, tx in TRANSACTIONS.items()
        }

    def head(self, branch: list[Block]) -> None:
        self.blocks |= {block.link.hash: block for block in branch}
        links = [block.link for block in branch]
        fork = self.chain.fork(links[0].parent_ref, links)
        for link in fork.undo:
            for name in self.agenda.decided_in(link.ref):
                self.observe(name, Orphaned(link.ref, 0.0))
            self.chain = self.chain.pop()
        for link in fork.apply:
            self.apply(self.blocks[link.hash])

    def apply(self, block: Block) -> None:
        self.chain = self.chain.push(block.link)
        for winner in block.names:
            for name, tx in TRANSACTIONS.items():
                if name == winner:
                    fact = Included(tx, block.link.ref, Outcome(succeeded=True, fee=1))
                    self.observe(name, fact)
                elif tx.slots == TRANSACTIONS[winner].slots:
                    self.observe(name, Overtaken(TRANSACTIONS[winner], block.link.ref))
        for name, ref in self.agenda.due_by(block.link.number).items():
            self.observe(name, Buried(ref, self.chain.confirmations(ref)))

    def observe(self, name: str, fact: Observation) -> None:
        self.tracked[name], _ = transition(self.tracked[name], fact)
        self.agenda.note(self.tracked[name])


bodies = st.lists(st.frozensets(st.sampled_from(NAMES)), min_size=1, max_size=6)
steps = st.lists(st.tuples(st.integers(min_value=0, max_value=DEPTH - 1), bodies), max_size=12)


@given(steps)
def test_random_reorganisations_lead_to_the_states_of_the_model(
    steps: list[tuple[int, list[frozenset[str]]]],
) -> None:
    model = Model()
    played = Played(model.blocks[0])

    for depth, contents in steps:
        # Never shorter than the undone branch, so that no final state is undone.
        longer = contents + [frozenset()] * max(0, depth - len(contents))
        played.head(model.reorganise(min(depth, len(model.blocks) - 1), longer))

        for name in NAMES:
            tracked = played.tracked[name]
            number = tracked.anchor.number if tracked.anchor else None
            assert (tracked.state, number) == model.state(name)
        assert [link.hash for link in played.chain.links] == [
            block.link.hash for block in model.blocks[-(DEPTH + 8) :]
        ]
