"""Which mapping the simulator uses."""

from tests.sim.plain_mapping import translators

__all__ = ["translators"]
