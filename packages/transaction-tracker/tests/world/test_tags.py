"""A chain without the tags "safe" and "finalized": nothing can wait for them."""

from typing import Any

import pytest

from transaction_tracker import ProviderSettings, Settings, TransactionTracker
from transaction_tracker.settings import ConfigurationError, load

from .chain import transaction
from .node import Node
from .world import World, chain_of

TRON = 728126428
WITHOUT: dict[str, Any] = {"profile": {"finality_tags": False}}


@pytest.mark.parametrize("tag", ["safe", "finalized"])
@pytest.mark.parametrize("options", [{"chain_id": TRON}, WITHOUT])
def test_a_tag_that_the_configured_chain_lacks_is_refused(
    tag: Any, options: dict[str, Any]
) -> None:
    provider = ProviderSettings("http://node.test")  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=f"must be a number of blocks on .* the tag '{tag}'"):
        Settings(providers=(provider,), confirmations=tag, **options)


def test_a_profile_can_say_that_the_nodes_know_the_tags() -> None:
    provider = ProviderSettings("http://node.test")  # type: ignore[arg-type]
    profile = {"finality_tags": True}

    Settings(providers=(provider,), chain_id=TRON, confirmations="safe", profile=profile)


def test_tag_is_refused_at_the_start_if_the_chain_is_unknown_before() -> None:
    world = World(Node(chain_of(100, TRON)), chain_id=None, confirmations="finalized")

    async def main() -> None:
        refused = await world.try_start()
        assert refused is not None
        assert "confirmations must be a number of blocks on Tron" in refused

    world.simulate(main)


def test_a_registration_that_would_never_end_is_refused() -> None:
    payment = transaction("customer", 1)
    world = World(Node(chain_of(100)), **WITHOUT)

    async def main() -> None:
        with pytest.raises(ValueError, match="confirmations must be a number of blocks"):
            await TransactionTracker.start(payment["hash"], confirmations="finalized")
        assert await TransactionTracker.start(payment["hash"], confirmations=3) is not None

    world.play(main)


@pytest.mark.parametrize("where", ["chain_id", "profile__finality_tags"])
def test_the_configuration_names_the_option(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    value = str(TRON) if where == "chain_id" else "false"
    monkeypatch.setenv(f"TXTRACK_SOURCE__{where.upper()}", value)
    monkeypatch.setenv("TXTRACK_SOURCE__CONFIRMATIONS", "safe")

    with pytest.raises(
        ConfigurationError, match=r"source.confirmations must be a number of blocks"
    ):
        load()
