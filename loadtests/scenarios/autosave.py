"""The long middle of an exam: everybody answers at an even pace, and each answer is acknowledged from disk."""

from locust import constant_pacing, task

from loadtests.scenarios.candidate import Candidate

ITEMS = 100


class Autosave(Candidate):
    """Answers one item a second, some forty times as often as a candidate does."""

    wait_time = constant_pacing(1)
    number = 0

    @task
    def save(self) -> None:
        """Answer the next item."""
        self.number = self.number % ITEMS + 1
        self.timed("answer saved", lambda: self.answer(self.number))
        self.did_once()
