"""How often one address may look up: a bucket of tokens that refills with monotonic time."""

from collections import OrderedDict
from typing import Any

from litestar import Request

from server.errors import GongyuanError


class TooOften(GongyuanError):
    """The address asked too often; `seconds` says when one more question is allowed."""

    status = 429


class Bucket:
    """At most `burst` questions at once and `per_minute` in the long run, counted by address in this process."""

    _MOST_ADDRESSES = 20_000

    def __init__(self, burst: int, per_minute: float) -> None:
        self._burst = burst
        self._rate = per_minute / 60.0
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, monotonic: float) -> None:
        """Take one token; TooOften `look-up-too-often` when none is left."""
        left, at = self._left.pop(address, (float(self._burst), monotonic))
        left = min(float(self._burst), left + (monotonic - at) * self._rate)
        enough = left >= 1
        self._left[address] = (left - 1 if enough else left, monotonic)
        while len(self._left) > self._MOST_ADDRESSES:
            self._left.popitem(last=False)
        if not enough:
            raise TooOften("look-up-too-often", seconds=int((1 - left) / self._rate) + 1)


class Limits:
    """The buckets of one server process."""

    def __init__(self) -> None:
        self.look_ups = Bucket(burst=30, per_minute=20)
        self.objections = Bucket(burst=10, per_minute=2)


def limits_of(request: Request[Any, Any, Any]) -> Limits:
    """Return the buckets of the application that answers this request."""
    state = request.app.state
    if "public_limits" not in state:
        state["public_limits"] = Limits()
    limits: Limits = state["public_limits"]
    return limits
