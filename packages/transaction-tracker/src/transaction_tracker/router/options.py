"""Options of the router."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.domain.sharding import MAX_SHARDS, ShardMap
from transaction_tracker.net.service import service_url
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import Numbers, Seconds, from_json
from transaction_tracker.store.options import former_counts

# Programs that can own one shard: its owner and its standbys.
MAX_URLS = 8
MAX_TIMEOUT_SECONDS = 600.0


def _urls_of_shards(value: Any) -> tuple[tuple[str, ...], ...]:
    """Read a list with the URLs of each shard: one text, or a list of them."""
    value = from_json(value) if isinstance(value, str) else value
    if not isinstance(value, list | tuple):
        raise ValueError("not a list")
    return tuple(_urls([each] if isinstance(each, str) else each) for each in value)


def _urls(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_URLS:
        raise ValueError("not a list of URLs")
    for url in value:
        if not isinstance(url, str):
            raise ValueError("not a URL")
        service_url(url)
    return tuple(url.rstrip("/") for url in value)


Shards = Annotated[tuple[tuple[str, ...], ...], NoDecode, BeforeValidator(_urls_of_shards)]


class RouterSection(Section):
    """The shards behind `txtrack route`, which listens as [web] says."""

    shards: Shards = option(
        (),
        f"a list with up to {MAX_URLS} URLs for each shard, such as "
        '[["http://10.0.0.1:8080", "http://10.0.0.2:8080"]]',
        "URLs of the programs of each shard, in the order of their numbers: its owner and its "
        "standbys.",
        # A URL with a password is an error, and the message must not show the password.
        secret=True,
        max_length=MAX_SHARDS,
    )
    former_counts: Numbers = former_counts()
    timeout: Seconds = option(
        30.0,
        f"over 0, up to {MAX_TIMEOUT_SECONDS / 60:g}m: {SECONDS}",
        "Time for a shard to respond, in addition to the time of a long poll.",
        gt=0,
        le=MAX_TIMEOUT_SECONDS,
    )

    @property
    def map(self) -> ShardMap:
        """The numbers of shards."""
        return ShardMap((len(self.shards), *self.former_counts))

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield a URL that two shards have, and numbers that do not fit each other."""
        if not self.shards:
            if self.former_counts:
                yield "former_counts", f"requires {table}shards"
            return
        urls = [url for shard in self.shards for url in shard]
        if len(set(urls)) < len(urls):
            yield "shards", "must name each URL once"
        try:
            _ = self.map
        except ValueError as error:
            yield "former_counts", f"does not fit the {len(self.shards)} shards: {error}"
