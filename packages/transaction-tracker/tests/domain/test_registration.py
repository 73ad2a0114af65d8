import pytest

from transaction_tracker.domain import Policy, Registration


@pytest.mark.parametrize("required", [1, 12, 10_000, "safe", "finalized"])
def test_valid_requirements_are_accepted(required: int) -> None:
    assert Registration("tx", required).required == required


@pytest.mark.parametrize("required", [0, -1, 10_001, True, 1.0, "latest", "", None, [1]])
def test_invalid_requirement_raises(required: int) -> None:
    with pytest.raises(ValueError, match=r"confirmations must be a whole number .* 'safe' or"):
        Registration("tx", required)


@pytest.mark.parametrize("deadline", [0, -1.0, float("nan"), float("inf")])
def test_invalid_deadline_raises(deadline: float) -> None:
    with pytest.raises(ValueError, match="deadline must be a time in Unix seconds"):
        Registration("tx", 1, deadline)


def test_metadata_over_the_byte_limit_raises() -> None:
    with pytest.raises(ValueError, match="metadata must be at most 4096 bytes of JSON, got 4097"):
        Registration("tx", 1, metadata="é" * 2048 + "x")


@pytest.mark.parametrize("name", ["drop_blocks", "drop_seconds", "stuck_seconds"])
def test_negative_policy_value_raises(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be 0 or more, got -1"):
        Policy(**{name: -1})
