"""The room of the machine: clocks, pollers, the reactor, timers, workers, topology, pinning. See README.md."""

from .affinity import SystemAffinity
from .clock import SystemClock
from .coroutines import Routine, Runner, Wait, in_worker, sleep
from .cpu_list import format_cpu_list, parse_cpu_list
from .current_node import CurrentNode
from .deadlines import Deadline, DeadlineWheel, Timed
from .epoll_poller import EpollPoller
from .executor import WorkerExecutor
from .faults import ErrorHook, log_error
from .inbox import Inbox
from .memory_policy import NOT_TOUCHED, MemoryPolicy, Policy
from .node_executors import NodeExecutors
from .pollers import available_pollers, default_poller
from .portable_pollers import PollPoller, SelectorPoller
from .reactor import PollReactor
from .syscalls import NumaCalls, SystemNumaCalls, system_numa_calls
from .task import WorkerTask
from .timers import Timer, TimerScheduler
from .topology import SysTopology
from .wakeup import Wakeup
from .windows_topology import WindowsTopology, system_topology

__all__ = [
    "NOT_TOUCHED",
    "CurrentNode",
    "Deadline",
    "DeadlineWheel",
    "EpollPoller",
    "ErrorHook",
    "Inbox",
    "MemoryPolicy",
    "NodeExecutors",
    "NumaCalls",
    "Policy",
    "PollPoller",
    "PollReactor",
    "Routine",
    "Runner",
    "SelectorPoller",
    "SysTopology",
    "SystemAffinity",
    "SystemClock",
    "SystemNumaCalls",
    "Timed",
    "Timer",
    "TimerScheduler",
    "Wait",
    "Wakeup",
    "WindowsTopology",
    "WorkerExecutor",
    "WorkerTask",
    "available_pollers",
    "default_poller",
    "format_cpu_list",
    "in_worker",
    "log_error",
    "parse_cpu_list",
    "sleep",
    "system_numa_calls",
    "system_topology",
]
