"""The rush at the start: all sit and hold their sealed papers; the bell is struck; all open them at once."""

import time

from locust import task
from locust.exception import StopUser

from loadtests.scenarios.candidate import CROWD, Candidate


class StartRush(Candidate):
    """Reports the time from the recorded bell to the opened paper, by the centre's own clock."""

    @task
    def open(self) -> None:
        """Wait for the key, open the paper, and go."""
        try:
            self.until(lambda: self.paper is not None)
        except (TimeoutError, ConnectionError) as error:
            self.report("paper open after the bell", 0.0, error)
        else:
            now, phase = self.brain.legal(time.monotonic()), self.brain.phase
            if now is not None and phase is not None and phase.start is not None:
                since = (now - phase.start).total_seconds() * 1000
                self.report("paper open after the bell", max(0.0, since))
        CROWD.went(self.environment)
        raise StopUser
