"""Dealing: the items of one cell of the blueprint along the places of a draw, in the order of the places.

The cell's items are a deck, shuffled once and dealt hand by hand. A used-up deck is dealt again in a new order that
keeps what was dealt last to the end: in two shuffled halves where half the deck is at least two hands, else the last
two hands' cards after all others, the last hand's at the very end. So no item is used more than once oftener than
another of its cell, and two hands that follow each other share no more than they must: nothing while the deck holds
two hands, else what is missing to two. Where the exposure limit lets an item be used fewer times than the others,
its uses are spread over the rounds.
"""

from collections.abc import Sequence

from server.papers.stream import Stream


def quotas(stream: Stream, caps: Sequence[int], uses: int) -> list[int]:
    """Return how often each card is used: `uses` in all, as evenly as the caps allow; which of equal cards get
    one more is drawn. The caps make up at least `uses`."""
    low, high = 0, max(caps, default=0)
    while low < high:  # the highest level at which the cards take no more than all uses
        level = (low + high + 1) // 2
        if sum(min(cap, level) for cap in caps) <= uses:
            low = level
        else:
            high = level - 1
    given = [min(cap, low) for cap in caps]
    left = uses - sum(given)
    for card in stream.order(len(caps)):
        if left and caps[card] > low:
            given[card] += 1
            left -= 1
    return given


def deal(stream: Stream, cards: Sequence[int], caps: Sequence[int], count: int, papers: int) -> list[int]:
    """Return `papers` hands of `count` different cards, one after the other in one list.

    `caps[i]`: most hands that may hold `cards[i]`; the sum of the caps, none counted above `papers`, is at least
    `papers` × `count`, and at least `count` cards have a cap above 0.
    """
    whole = papers * count
    rounds = -(-whole // len(cards)) if cards else 0
    if all(cap >= rounds for cap in caps):
        return _evenly(stream, cards, count, whole)
    return _capped(stream, cards, [min(cap, papers) for cap in caps], count, papers)


def _evenly(stream: Stream, cards: Sequence[int], count: int, whole: int) -> list[int]:
    deck = _shuffled(stream, cards)
    dealt = list(deck)
    size = len(deck)
    while len(dealt) < whole:
        begun = len(dealt) % count
        if size // 2 >= 2 * count:
            deck = _shuffled(stream, deck[: size // 2]) + _shuffled(stream, deck[size // 2 :])
        else:
            old, last = max(0, size - begun - count), size - begun
            deck = [
                *_shuffled(stream, deck[:old]),
                *_shuffled(stream, deck[old:last]),
                *_shuffled(stream, deck[last:]),
            ]
        dealt += deck
    return dealt[:whole]


def _shuffled(stream: Stream, cards: Sequence[int]) -> list[int]:
    return [cards[place] for place in stream.order(len(cards))]


def _capped(stream: Stream, cards: Sequence[int], caps: Sequence[int], count: int, papers: int) -> list[int]:
    uses = dict(zip(cards, quotas(stream, caps, papers * count), strict=True))
    waiting: list[int] = []
    hands: list[list[int]] = []
    begun: list[int] = []
    for cards_of_round in _rounds(stream, cards, uses):
        waiting += cards_of_round
        while len(waiting) >= count - len(begun) and len(hands) < papers:
            begun, waiting = _filled(begun, waiting, count)
            if len(begun) < count:
                break
            hands.append(begun)
            begun = []
    while len(hands) < papers:  # what is left over are second copies for the last hands
        hand = begun
        begun = []
        for card in _shuffled(stream, waiting):
            if len(hand) < count and card not in hand:
                hand.append(card)
                waiting.remove(card)
        hands.append(hand)
    _place_left_over(hands, waiting, count)
    return [card for hand in hands for card in hand]


def _rounds(stream: Stream, cards: Sequence[int], uses: dict[int, int]) -> list[list[int]]:
    """Return the decks of the rounds: a card of u uses stands in u of them, evenly spaced, at most once in each."""
    most = max(uses.values())
    common = [card for card in cards if uses[card] == most]
    full = most if 2 * len(common) > len(cards) else max(1, most - 1)
    phases = dict(zip(cards, stream.numbers(full, len(cards)), strict=True))
    order = _shuffled(stream, cards)
    decks: list[list[int]] = []
    for number in range(full):
        present = [
            card
            for card in order
            if (number * min(uses[card], full) + phases[card]) // full
            != ((number + 1) * min(uses[card], full) + phases[card]) // full
        ]
        half = len(present) // 2
        deck = _shuffled(stream, present[:half]) + _shuffled(stream, present[half:])
        decks.append(deck)
        held = set(deck)
        order = [card for card in order if card not in held] + deck
    if full < most:
        decks.append(_shuffled(stream, common))
    return decks


def _filled(begun: list[int], waiting: list[int], count: int) -> tuple[list[int], list[int]]:
    """Fill a hand with the first waiting cards that it lacks; return it with the cards that still wait."""
    hand, held = list(begun), set(begun)
    passed: list[int] = []
    for place, card in enumerate(waiting):
        if len(hand) == count:
            return hand, passed + waiting[place:]
        if card in held:
            passed.append(card)
        else:
            hand.append(card)
            held.add(card)
    return hand, passed


def _place_left_over(hands: list[list[int]], left: list[int], count: int) -> None:
    """Bring the cards that still wait into the hands that are short, each by an exchange with a full hand.

    A short hand holds every waiting card already. Since a card has no more uses than there are hands, a full hand
    lacks it; and a full hand has a card that the short one lacks.
    """
    for hand in hands:
        while len(hand) < count:
            card = left.pop()
            other = next(one for one in hands if len(one) == count and card not in one)
            given = next(one for one in other if one not in hand)
            other[other.index(given)] = card
            hand.append(given)
