"""The contract of controls, on the one there is. (What the fakes have is the same, over a server's configuration.)"""

from __future__ import annotations

from hioload_ws.contract.suites.control import ControlContract, Settings
from hioload_ws.control import ConfigControl
from tests.kit.holding import hold


def real(config: Settings) -> ConfigControl[Settings]:
    return ConfigControl(config, on_error=lambda error, origin: None)


def test_the_control_of_ours_is_conformant() -> None:
    hold(ControlContract, real, "ConfigControl")
