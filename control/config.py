"""The configuration of a server: every knob, with its default, unit, range and meaning.

A ``ServerConfig`` is a value. It is checked as a whole when it is made, so one that exists is right, and it
never changes, so whoever holds one reads numbers that belong together. A change makes another one
(``ConfigControl``). Files and environment variables are read by the loader; from there come plain mappings,
which ``from_mapping`` turns into a configuration, or into one error that names everything that is wrong with
it.

Fields marked *fixed* are used once, when the server starts: for a listening socket, for the size of a ring.
The others are asked for when they are needed, most of them when a connection is accepted; connections that
exist keep what they began with. """

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from ..api.errors import InvalidArgument
from .knobs import Knob, find_problems, knob, knobs_of, refuse, values_of

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30

_DAY_S: Final = 86_400.0
_AT_BIND: Final = "the listening socket is bound once, when the server starts"
_AT_START: Final = "reactors and executors are built with it when the server starts"
_AT_POOL: Final = "buffer pools are built with it when the server starts"
_MAX_NODE: Final = 1023
_MAX_CPU: Final = 8191
"""The most that Linux can be built for (CONFIG_NODES_SHIFT 10, CONFIG_NR_CPUS 8192)."""

# RFC 7230 §3.2.6: token, which is what RFC 6455 §4.1 demands of a subprotocol's name.
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# RFC 6454 §6.2: scheme://host[:port] and nothing behind it, or "null". A trailing slash would never match.
_ORIGIN: Final = r"null|[A-Za-z][A-Za-z0-9+.\-]*://[^/?#\s]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Everything about a server that is a number or a word.

    Raises ``InvalidArgument`` naming each field of a wrong type, each value out of its range, and pairs that
    do not fit together. """

    host: str = knob("127.0.0.1", "Address or name to listen on.",
                     pattern=r"[^\s\0]+", form="a name or address", fixed=_AT_BIND)
    port: int = knob(9001, "TCP port; 0 lets the system choose.", low=0, high=65_535, fixed=_AT_BIND)
    unix_path: str | None = knob(None, "Listen on this Unix socket instead of host and port.",
                                 pattern=r"[^\0]{1,107}", form="a path of 1 to 107 characters",
                                 fixed=_AT_BIND)
    backlog: int = knob(1024, "Connections the kernel queues before accept(2); it may cap this.",
                        unit="connections", low=1, high=65_535, fixed=_AT_BIND)
    max_connections: int = knob(10_000, "Connections at once; further ones are refused with status 503.",
                                unit="connections", low=1, high=10_000_000)

    read_buffer_bytes: int = knob(128 * KIB, "Size of the pooled buffer that a read fills.", unit="bytes",
                                  low=512, high=16 * MIB, fixed=_AT_POOL)
    max_message_bytes: int = knob(32 * MIB, "Longest message accepted; beyond it close code 1009 is sent.",
                                  unit="bytes", low=1, high=4 * GIB)
    max_frame_bytes: int | None = knob(None, "Longest frame accepted; none: only the message is limited.",
                                       unit="bytes", low=1, high=4 * GIB)
    max_fragments: int = knob(131_072, "Most frames of one message; bounds the work an attacker can cause.",
                              unit="frames", low=1, high=1 << 30)
    pool_limit_bytes: int | None = knob(None, "Most memory of a node's buffer pool; none: no limit.",
                                        unit="bytes", low=64 * KIB, fixed=_AT_POOL)

    send_limit_bytes: int = knob(64 * MIB, "Most bytes queued for a connection; a send beyond is refused.",
                                 unit="bytes", low=1, high=64 * GIB)
    high_water_bytes: int = knob(1 * MIB, "Queued bytes from which a connection asks its writers to wait.",
                                 unit="bytes", low=1, high=64 * GIB)
    low_water_bytes: int = knob(256 * KIB, "Queued bytes at or below which writers may go on.",
                                unit="bytes", low=0, high=64 * GIB)

    handshake_timeout_s: float = knob(10.0, "Time for the opening handshake, from accept to answer.",
                                      unit="s", low=0.001, high=_DAY_S)
    ping_interval_s: float = knob(20.0, "Silence after which a ping is sent; 0: never.",
                                  unit="s", low=0, high=_DAY_S)
    ping_timeout_s: float = knob(20.0, "Time for the pong; then the connection is closed.",
                                 unit="s", low=0.001, high=_DAY_S)
    idle_timeout_s: float = knob(0.0, "Time without a message until a connection is closed; 0: never.",
                                 unit="s", low=0, high=30 * _DAY_S)
    close_timeout_s: float = knob(10.0, "Time for the peer's answer to our close frame.",
                                  unit="s", low=0.001, high=_DAY_S)
    session_ttl_s: float = knob(0.0, "Time after which a connection's session ends, and the connection; 0: never.",
                                unit="s", low=0, high=365 * _DAY_S)
    shutdown_timeout_s: float = knob(30.0, "Time for connections to end when the server stops; 0: none.",
                                     unit="s", low=0, high=_DAY_S)

    max_head_bytes: int = knob(16_384, "Longest head of a handshake request; beyond it status 431 is sent.",
                               unit="bytes", low=256, high=1 * MIB)
    max_header_count: int = knob(100, "Most header fields of a handshake request.",
                                 unit="fields", low=8, high=10_000)
    subprotocols: tuple[str, ...] = knob((), "Subprotocols spoken, the preferred one first.",
                                         pattern=_TOKEN, form="a token of RFC 7230")
    origins: tuple[str, ...] | None = knob(None, "Origins allowed to connect; none: every origin.",
                                           pattern=_ORIGIN, form="scheme://host[:port] or null")

    node: int | None = knob(None, "NUMA node of the server's thread and buffers; none: wherever the system likes.",
                            low=0, high=_MAX_NODE, fixed=_AT_POOL)
    cpu: int | None = knob(None, "CPU the server's thread is kept on; none: any, or any of the node.",
                           low=0, high=_MAX_CPU)
    huge_pages: str = knob("never", "Huge pages for buffers: the best kind that the machine grants, or none.",
                           choices=("never", "try"), fixed=_AT_POOL)

    workers: int = knob(1, "Workers that share the port, each with a reactor of its own; 1: the calling thread serves.",
                        unit="workers", low=1, high=1024, fixed=_AT_START)
    worker_kind: str = knob("auto", "What a worker is; auto: a thread where Python has no GIL, else a process.",
                            choices=("auto", "process", "thread"), fixed=_AT_START)
    worker_pinning: str = knob("auto", "Whether each worker is kept on a CPU of its own, as far as there are enough.",
                               choices=("auto", "off"), fixed=_AT_START)

    executor_threads: int = knob(0, "Threads for functions that block; 0: one per CPU of the server's node.",
                                 unit="threads", low=0, high=4096)
    executor_capacity: int = knob(1024, "Most calls that wait for such a thread; further ones are refused.",
                                  unit="calls", low=1, high=1 << 24, fixed=_AT_START)

    reactor_budget: int = knob(256, "Most events, posts and timers, each, that a reactor handles per turn.",
                               unit="events", low=1, high=1_000_000, fixed=_AT_START)
    inbox_capacity: int = knob(4096, "Most calls from other threads that wait for a reactor.",
                               unit="calls", low=1, high=1 << 24, fixed=_AT_START)
    spin_us: int = knob(0, "How long a reactor polls without sleep after work; 0: it never spins.",
                        unit="µs", low=0, high=1_000_000, fixed=_AT_START)
    mask_accelerator: str = knob("auto", "Whether masks of long frames may be left to Nettle or libcrypto.",
                                 choices=("auto", "off"), fixed=_AT_START)
    leaks: str = knob("disabled", "How closely buffers are watched for leaks.",
                      choices=("disabled", "simple", "advanced", "paranoid"), fixed=_AT_POOL)

    def __post_init__(self) -> None:
        values = values_of(self)
        problems = find_problems(type(self), values)
        if problems:
            raise refuse(problems)
        misfits: dict[tuple[str, str], str] = {}
        for lesser, greater in _ORDERED:
            low, high = getattr(self, lesser), getattr(self, greater)
            if low is not None and high is not None and low > high:
                misfits[lesser, greater] = f"{lesser} is {low}, more than {greater}, which is {high}"
        if misfits:
            names = tuple(dict.fromkeys(name for pair in misfits for name in pair))
            raise InvalidArgument(f"configuration: {'; '.join(misfits.values())}", fields=names)

    @classmethod
    def describe(cls) -> tuple[Knob, ...]:
        """Return a row per field for the manual: name, type, default, unit, range, meaning, live or why
        not."""
        return tuple(knobs_of(cls).values())

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, object], source: str = "mapping", base: Self | None = None
    ) -> Self:
        """Return ``base`` (default: all defaults) with the values of ``mapping`` in place of its own.

        Values must be of the fields' types: no string is taken for a number and no ``bool`` for an ``int``. A
        list is taken for a tuple, because files have no tuples. Raises ``InvalidArgument``, with ``source``
        in its message, that names every unknown key (with the nearest known one) and every wrong value. """
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in mapping.items()}
        problems = find_problems(cls, values)
        if problems:
            raise refuse(problems, source)
        try:
            whole = base if base is not None else cls()
            return replace(whole, **values)  # type: ignore[arg-type]  # their types were checked above
        except InvalidArgument as error:
            raise InvalidArgument(f"{source}: {error.message}", **error.context) from None


_ORDERED: Final = (
    ("low_water_bytes", "high_water_bytes"),
    ("high_water_bytes", "send_limit_bytes"),
    ("max_frame_bytes", "max_message_bytes"),
    ("read_buffer_bytes", "pool_limit_bytes"),
)
"""Pairs of which the first must not be greater than the second; a field that is ``None`` fits anything."""

__all__ = ["GIB", "KIB", "MIB", "ServerConfig"]
