"""The scenarios, for `locust -f loadtests/locustfile.py CLASS`; `python -m loadtests` runs them one after another.

The latencies that locust reports contain its own waiting (ten times too high under load): they show a trend and
catch a collapse. Gates on figures are the benchmarks.
"""

from loadtests.scenarios.autosave import Autosave
from loadtests.scenarios.board import BoardFanOut
from loadtests.scenarios.hand_in import HandInRush
from loadtests.scenarios.reconnect import ReconnectStorm
from loadtests.scenarios.start import StartRush

__all__ = ["Autosave", "BoardFanOut", "HandInRush", "ReconnectStorm", "StartRush"]
