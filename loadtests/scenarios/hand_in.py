"""The rush at the end: everybody has answered something, and all hand in at the same moment."""

from functools import partial

from locust import task
from locust.exception import StopUser

from loadtests.scenarios.candidate import CROWD, PATIENCE_S, Candidate

ANSWERED = 5


class HandInRush(Candidate):
    """Reports how long it takes until the signed receipt is there."""

    @task
    def finish(self) -> None:
        """Answer, wait for all others, hand in, and go."""
        for number in range(1, ANSWERED + 1):
            self.timed("answer saved", partial(self.answer, number))
        CROWD.all_here.wait(PATIENCE_S)
        self.timed("handed in", self.hand_in)
        CROWD.went(self.environment)
        raise StopUser

    def hand_in(self) -> None:
        """Hand in and wait for the receipt."""
        if not self.brain.hand_in():
            raise RuntimeError("answers are still on their way")
        self.until(lambda: self.ended)
