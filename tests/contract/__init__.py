"""The contract kit: executable contracts of the interfaces in ``hioload_ws.api``. See README.md."""

from .engine import check
from .report import Entry, Finding, Outcome, Report, Verdict
from .requirement import Level, Requirement, must, refusal, requirement, should
from .suite import Contract
from .suites.affinity import AffinityContract
from .suites.executor import ExecutorContract
from .suites.poller import PollerContract
from .suites.reactor import ReactorContract
from .suites.ring import MpmcRingContract, RingContract
from .suites.topology import TopologyContract
from .suites.transport import TransportContract
from .suites.transport_provider import TransportProviderContract
from .suites.transport_registry import TransportRegistryContract
from .trial import Trial

__all__ = [
    "AffinityContract",
    "Contract",
    "Entry",
    "ExecutorContract",
    "Finding",
    "Level",
    "MpmcRingContract",
    "Outcome",
    "PollerContract",
    "ReactorContract",
    "Report",
    "Requirement",
    "RingContract",
    "TopologyContract",
    "TransportContract",
    "TransportProviderContract",
    "TransportRegistryContract",
    "Trial",
    "Verdict",
    "check",
    "must",
    "refusal",
    "requirement",
    "should",
]
