"""A set of the ids of very many runs, in some 20 bytes each, where a set of texts takes eight times as much."""

from array import array


class RunSet:
    """Run ids that can be added and asked for; of each, a hash is kept.

    Two ids have the same one by a chance of one in billions, and then a run is taken for a repeated one. Nobody can
    bring that about: the hash of a text has a key, another one in each process.
    """

    def __init__(self) -> None:
        self._slots = array("q", bytes(1024 * 8))
        """A power of two of them, half of them or more empty; a hash stands in the first that was free from it on."""
        self._held = 0

    def __contains__(self, run_id: str) -> bool:
        return self._slots[self._slot(_key(run_id))] != 0

    def add(self, run_id: str) -> None:
        """Add an id; once more changes nothing."""
        if 2 * self._held >= len(self._slots):
            self._grow()
        at = self._slot(key := _key(run_id))
        self._held += self._slots[at] == 0
        self._slots[at] = key

    def _slot(self, key: int) -> int:
        """Return where a hash stands, or would stand."""
        slots = self._slots
        at = key & (len(slots) - 1)
        while slots[at] not in {0, key}:
            at = (at + 1) & (len(slots) - 1)
        return at

    def _grow(self) -> None:
        held, self._slots = self._slots, array("q", bytes(2 * self._slots.itemsize * len(self._slots)))
        for key in filter(None, held):
            self._slots[self._slot(key)] = key


def _key(run_id: str) -> int:
    return hash(run_id) or 1
