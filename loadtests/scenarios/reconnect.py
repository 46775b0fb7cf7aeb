"""A storm of reconnects: everybody loses the line with an answer on the way, and takes the sitting up again."""

from locust import constant_pacing, task

from loadtests.scenarios.candidate import Candidate

ITEMS = 100


class ReconnectStorm(Candidate):
    """Loses the line every two seconds."""

    wait_time = constant_pacing(2)
    number = 0

    @task
    def storm(self) -> None:
        """Lose the line, come back, and see that the answer arrives."""
        self.drop()
        self.number = self.number % ITEMS + 1
        self.brain.answer(self.number, (self.rng.choice("ABCD"),), 0.0)
        self.timed("taken up again", self.sit)
        self.timed("answer saved after all", lambda: self.until(lambda: len(self.brain.outbox) == 0))
        self.did_once()
