"""The contract kit: executable contracts of the interfaces in ``hioload_ws.api``. See README.md."""

from .engine import check
from .replaying import replay
from .report import Entry, Finding, Outcome, Report, Verdict
from .requirement import Level, Requirement, must, refusal, requirement, should
from .suite import Contract
from .suites.affinity import AffinityContract
from .suites.batch import BatchContract
from .suites.buffer import BufferContract
from .suites.buffer_pool import BufferPoolContract
from .suites.clock import ClockContract
from .suites.codec import CodecContract
from .suites.connection import ConnectionContract
from .suites.context import ContextContract, ContextFactoryContract
from .suites.control import ControlContract
from .suites.debug import DebugContract
from .suites.executor import ExecutorContract
from .suites.extension import ExtensionContract, ExtensionFactoryContract
from .suites.handler import HandlerContract, MiddlewareContract
from .suites.message import MessageContract
from .suites.metrics import MetricsContract
from .suites.node_pools import BufferPoolManagerContract, NodeObjectPoolsContract
from .suites.object_pool import ObjectPoolContract
from .suites.poller import PollerContract
from .suites.reactor import ReactorContract
from .suites.ring import MpmcRingContract, RingContract
from .suites.scheduler import SchedulerContract
from .suites.session import SessionContract
from .suites.session_manager import SessionManagerContract
from .suites.shutdown import GracefulShutdownContract
from .suites.socket_transport import SocketTransportContract
from .suites.topology import TopologyContract
from .suites.tracer import TracerContract
from .suites.transport import TransportContract
from .suites.transport_provider import TransportProviderContract
from .suites.transport_registry import TransportRegistryContract
from .trial import Trial

__all__ = [
    "AffinityContract",
    "BatchContract",
    "BufferContract",
    "BufferPoolContract",
    "BufferPoolManagerContract",
    "ClockContract",
    "CodecContract",
    "ConnectionContract",
    "ContextContract",
    "ContextFactoryContract",
    "Contract",
    "ControlContract",
    "DebugContract",
    "Entry",
    "ExecutorContract",
    "ExtensionContract",
    "ExtensionFactoryContract",
    "Finding",
    "GracefulShutdownContract",
    "HandlerContract",
    "Level",
    "MessageContract",
    "MetricsContract",
    "MiddlewareContract",
    "MpmcRingContract",
    "NodeObjectPoolsContract",
    "ObjectPoolContract",
    "Outcome",
    "PollerContract",
    "ReactorContract",
    "Report",
    "Requirement",
    "RingContract",
    "SchedulerContract",
    "SessionContract",
    "SessionManagerContract",
    "SocketTransportContract",
    "TopologyContract",
    "TracerContract",
    "TransportContract",
    "TransportProviderContract",
    "TransportRegistryContract",
    "Trial",
    "Verdict",
    "check",
    "must",
    "refusal",
    "replay",
    "requirement",
    "should",
]
