"""The room of fakes: interfaces that a test plays. See README.md."""

from .affinity import FakeCpuMasks, fake_affinity, permission_denied
from .clock import DEFAULT_UNIX_NS, VirtualClock
from .connection import FakeConnection
from .control import FaultyProbes, RecordingMetrics, fake_control
from .executor import FakeExecutor, FakeTask
from .extension import FakeExtensionFactory, IdentityExtension, ReversingExtension
from .faults import Faults
from .log import CallLog, RecordingTransport, ReplayTransport
from .memory import FakeBuffer, FakeBufferPool, fake_memory
from .message import counting_mask_keys, fake_codec, fake_message
from .network import SimNetwork
from .pcapng import PcapngCapture
from .poller import ScriptedPoller
from .reactor import VirtualReactor, virtual_reactor, virtual_scheduler
from .ring import FakeRing
from .session import virtual_context, virtual_contexts, virtual_session, virtual_sessions
from .strategies import Choices, any_cuts, any_frames, any_message, any_script, any_topology, seeded
from .topology import FakeTopology
from .tracer import FakeSpan, FakeTracer
from .transport import ScriptedTransport

__all__ = [
    "DEFAULT_UNIX_NS",
    "CallLog",
    "Choices",
    "FakeBuffer",
    "FakeBufferPool",
    "FakeConnection",
    "FakeCpuMasks",
    "FakeExecutor",
    "FakeExtensionFactory",
    "FakeRing",
    "FakeSpan",
    "FakeTask",
    "FakeTopology",
    "FakeTracer",
    "Faults",
    "FaultyProbes",
    "IdentityExtension",
    "PcapngCapture",
    "RecordingMetrics",
    "RecordingTransport",
    "ReplayTransport",
    "ReversingExtension",
    "ScriptedPoller",
    "ScriptedTransport",
    "SimNetwork",
    "VirtualClock",
    "VirtualReactor",
    "any_cuts",
    "any_frames",
    "any_message",
    "any_script",
    "any_topology",
    "counting_mask_keys",
    "fake_affinity",
    "fake_codec",
    "fake_control",
    "fake_memory",
    "fake_message",
    "permission_denied",
    "seeded",
    "virtual_context",
    "virtual_contexts",
    "virtual_reactor",
    "virtual_scheduler",
    "virtual_session",
    "virtual_sessions",
]
