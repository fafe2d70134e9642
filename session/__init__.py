"""The room of sessions: contexts, sessions and the sharded store. See README.md."""

from .context import ValueContext, ValueContextFactory
from .node_store import NodeSessions
from .session import LiveSession, SessionHome
from .store import DEFAULT_SHARD_COUNT, ShardedSessions, random_id

__all__ = [
    "DEFAULT_SHARD_COUNT",
    "LiveSession",
    "NodeSessions",
    "SessionHome",
    "ShardedSessions",
    "ValueContext",
    "ValueContextFactory",
    "random_id",
]
