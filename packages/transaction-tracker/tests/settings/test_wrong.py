"""Invalid configuration: the error names the key, both values and the place."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from transaction_tracker.settings import Configuration, ConfigurationError, Flags, load

Written = Callable[[str], Path]

WRONG: list[tuple[str, str]] = [
    (
        "[web]\n\nport = 70000",
        "web.port must be a port, 0 to 65535, got 70000 (some.toml line 3)",
    ),
    (
        "web.port = 70000",
        "web.port must be a port, 0 to 65535, got 70000 (some.toml line 1)",
    ),
    (
        "web = { port = true }",
        "web.port must be a port, 0 to 65535, got True (some.toml line 1)",
    ),
    ("[web]\nprot = 1", "web.prot is an unknown option; did you mean port? (some.toml line 2)"),
    (
        "[surce]\nchain_id = 1",
        "surce is an unknown option; did you mean source? (some.toml line 1)",
    ),
    ("[web]\nzzz = 1", "web.zzz is an unknown option; known options: "),
    ("web = 3", "web must be a table, got another value (hidden) (some.toml line 1)"),
    ("providers = 3", "providers must be tables, got another value (hidden) (some.toml line 1)"),
    (
        '[source]\nconfirmations = "saef"',
        'source.confirmations must be a number of blocks, 1 to 10,000, or "safe" or "finalized",'
        " got 'saef' (some.toml line 2)",
    ),
    ("[source]\nconfirmations = 0", "1 to 10,000"),
    ("[source]\nconfirmations = 1.5", "1 to 10,000"),
    ("[source]\nchain_id = 0", "source.chain_id must be a chain's number, 1 or more, got 0"),
    (
        '[source]\ntype = "ripple"',
        'source.type must be "ethereum", "bitcoin" or "http", got \'ripple\'',
    ),
    (
        "[source.profile]\nfees = 1",
        "source.profile.fees is an unknown option; did you mean fee? (some.toml line 2)",
    ),
    (
        '[source.profile]\nfee = "gas"',
        'source.profile.fee must be "ethereum", "op-stack", "scroll", "arbitrum" or "execution",'
        " got 'gas' (some.toml line 2)",
    ),
    ("[source.profile]\nparent_links = 3", "source.profile.parent_links must be true or false"),
    ("[source.profile]\nblock_time = 0", "source.profile.block_time must be 10ms to 1h"),
    ("[source.profile]\nblock_time = true", "source.profile.block_time must be 10ms to 1h"),
    ('[source.profile]\nname = ""', "source.profile.name must be a text of 1 to 80 characters"),
    ("[source.profile]\nslot_types = [300]", "source.profile.slot_types must be a list of"),
    ("[source.profile]\nslot_types = [0x7e]", "source.profile.slot_types must be a list of"),
    ("[source.profile]\nslot_types = [true]", "source.profile.slot_types must be a list of"),
    ('[source.profile]\nslot_types = ["many"]', "source.profile.slot_types must be a list of"),
    ("[source.profile]\nslot_types = [[]]", "source.profile.slot_types must be a list of"),
    (
        '[source]\nerrors = ["Unpaid(uint256 due"]',
        'source.errors must be a list of signatures, such as ["InsufficientBalance(',
    ),
    ('[source]\nerrors = ["Unpaid(uint256 due"]', "got 'Unpaid(uint256 due' (some.toml line 2)"),
    ("[source]\nerrors = [5]", "source.errors must be a list of signatures"),
    ("[source]\npoll_interval = nan", "source.poll_interval must be over 0"),
    ("[source]\npoll_interval = inf", "source.poll_interval must be over 0"),
    ("[source]\npoll_interval = -1", "source.poll_interval must be over 0"),
    ('[source]\nstuck_after = "5 parsecs"', "got '5 parsecs' (some.toml line 2)"),
    ("[source]\nstuck_after = [1]", "got a list"),
    (
        '[webhooks]\nallow_private = ["10.0.0.1/8"]',
        "webhooks.allow_private must be a list of networks",
    ),
    ("[webhooks]\nallow_private = [[]]", "webhooks.allow_private must be a list of networks"),
    ("[webhooks]\nallow_private = [5]", "webhooks.allow_private must be a list of networks"),
    ("[web]\ntrusted_proxies = [5]", "web.trusted_proxies must be a list of networks"),
    ('[database]\nurl = "mysql://host/s3cret"', "database.url must be a file name, :memory:"),
    ("[database]\nurl = 3", "database.url must be a file name, :memory:"),
    ("[[providers]]\n", "providers.0.url is required: a URL such as http://host:port"),
    (
        '[[providers]]\nurl = "http://a"\n[[providers]]\nurl = "nothttp://s3cret"',
        "providers.1.url must be a URL such as http://host:port or https://host/key,"
        " got another value (hidden) (some.toml line 4)",
    ),
    (
        '[[providers]]\nurl = "http://a"\nurk = "s3cret"',
        "providers.0.urk is an unknown option; did you",
    ),
    ("[web\nport = 1", "invalid TOML: Expected ']'"),
    ("[web]\nport = 1\nport = 2", "invalid TOML: Cannot overwrite a value (at "),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_error_of_an_invalid_file(written: Written, text: str, message: str) -> None:
    path = written(text)

    with pytest.raises(ConfigurationError) as caught:
        load(path)

    assert message in str(caught.value).replace(str(path), path.name)
    assert "s3cret" not in str(caught.value) + repr(caught.value.problems)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"TXTRACK_WEB__PORT": "abc"},
            "web.port must be a port, 0 to 65535, got 'abc' (variable TXTRACK_WEB__PORT)",
        ),
        (
            {"TXTRACK_WEB__PROT": "1"},
            "web.prot is an unknown option; did you mean port? (variable TXTRACK_WEB__PROT)",
        ),
        (
            {"TXTRACK_WBE__PORT": "1"},
            "TXTRACK_WBE__PORT is an unknown option; did you mean TXTRACK_WEB? (environment)",
        ),
        (
            {"TXTRACK_SOURCE__PROFILE__FEEE": "scroll"},
            "source.profile.feee is an unknown option; did you mean fee? "
            "(variable TXTRACK_SOURCE__PROFILE__FEEE)",
        ),
        (
            {"TXTRACK_SOURCE__PROFILE__SLOT_TYPES": "0,x"},
            "got 'x' (variable TXTRACK_SOURCE__PROFILE__SLOT_TYPES)",
        ),
        ({"TXTRACK_SOURCE__PROFILE": "fee"}, "must be a JSON object with the section's keys"),
        ({"TXTRACK_CONFG": "x"}, "did you mean TXTRACK_CONFIG?"),
        ({"TXTRACK_WEB": "s3cret"}, "web must be a JSON object with the section's keys (variable"),
        ({"TXTRACK_WEB": '{"port": -1}'}, "got -1 (variable TXTRACK_WEB)"),
        (
            {"TXTRACK_PROVIDERS": "http://s3cret"},
            "providers must be tables, got another value (hidden)",
        ),
        (
            {"TXTRACK_PROVIDERS": "[" * 100_000},
            "providers must be tables, got another value (hidden)",
        ),
        ({"TXTRACK_PROVIDERS": '[{"url": "s3cret"}]'}, "providers.0.url must be a URL"),
        (
            {"TXTRACK_PROVIDERS__0__URL": "s3cret"},
            "got another value (hidden) (variable TXTRACK_PROVIDERS__0__URL)",
        ),
        ({"TXTRACK_DATABASE__URL": "mysql://u:s3cret@h/d"}, "database.url must be"),
    ],
)
def test_error_of_an_invalid_variable(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as caught:
        load()

    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value) + repr(caught.value.problems)


# As Kubernetes sets them in each container of a namespace with a Service named "txtrack".
LINKS = {
    "TXTRACK_SERVICE_HOST": "10.0.0.11",
    "TXTRACK_SERVICE_PORT": "8080",
    "TXTRACK_SERVICE_PORT_HTTP": "8080",
    "TXTRACK_PORT": "tcp://10.0.0.11:8080",
    "TXTRACK_PORT_8080_TCP": "tcp://10.0.0.11:8080",
    "TXTRACK_PORT_8080_TCP_PROTO": "tcp",
    "TXTRACK_PORT_8080_TCP_PORT": "8080",
    "TXTRACK_PORT_8080_TCP_ADDR": "10.0.0.11",
}


@pytest.mark.parametrize("service", ["TXTRACK", "TXTRACK_WEB"])
def test_service_links_of_kubernetes_are_ignored(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name.replace("TXTRACK", service, 1), value)

    assert load() == Configuration()


@pytest.mark.parametrize(
    "variables",
    [
        {"TXTRACK_PORT": "8081"},
        {"TXTRACK_WEB_PORT": "8081"},
        {"TXTRACK_PORT": "tcp://10.0.0.11:8080"},
        {"TXTRACK_SERVICE_HOST": "10.0.0.11", "TXTRACK_SERVICE_PORT": "8080"},
        LINKS | {"TXTRACK_PORT": "8081"},
        LINKS | {"TXTRACK_WEB_PORT": "8081"},
    ],
)
def test_variable_similar_to_a_service_link_is_an_error(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=r"TXTRACK_\w+ is an unknown option"):
        load()


def test_error_of_an_invalid_flag() -> None:
    with pytest.raises(ConfigurationError, match=r"got 'x' \(flag --port\)"):
        load(flags=Flags({("web", "port"): ("x", "--port")}))


def test_error_names_the_flag_that_overrides_the_file(written: Written) -> None:
    path = written("[web]\nport = 1")

    with pytest.raises(ConfigurationError, match=r"got 'x' \(flag --set\)"):
        load(path, Flags({("web", "port"): ("x", "--set")}))


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the configuration: No such file"):
        load(tmp_path / "nowhere.toml")


def test_missing_file_of_the_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TXTRACK_CONFIG", "nowhere.toml")

    with pytest.raises(ConfigurationError, match=r"No such file or directory \(nowhere.toml\)"):
        load()


def test_folder_instead_of_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(tmp_path)


def test_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_bytes(b"\xff")

    with pytest.raises(ConfigurationError, match="the file is not UTF-8"):
        load(path)


def test_too_large_file_is_an_error(written: Written) -> None:
    with pytest.raises(ConfigurationError, match="is larger than 1 MiB"):
        load(written("#" * (2**20 + 1)))


def test_long_value_is_shortened(written: Written) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(written(f'[logs]\nlevel = "{"x" * 5000}"'))

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("first", ["web", "web.port"])
def test_value_in_the_place_of_a_table_is_an_error_next_to_an_option_of_the_table(
    first: str,
) -> None:
    typed = {("web",): (3, "--set web"), ("web", "port"): (1, "--set web.port")}
    keys = sorted(typed, key=lambda key: ".".join(key) != first)

    with pytest.raises(ConfigurationError, match=r"web must be a table, .* \(flag --set web\)"):
        load(flags=Flags({key: typed[key] for key in keys}))
