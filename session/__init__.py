"""The room of sessions: contexts, sessions and the sharded store. See README.md."""

from .context import ValueContext, ValueContextFactory
from .session import LiveSession, SessionHome
from .store import DEFAULT_SHARD_COUNT, ShardedSessions, random_id

__all__ = [
    "DEFAULT_SHARD_COUNT",
    "LiveSession",
    "SessionHome",
    "ShardedSessions",
    "ValueContext",
    "ValueContextFactory",
    "random_id",
]
