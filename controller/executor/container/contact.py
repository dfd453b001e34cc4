"""Which programs can't be asked, and why."""

from controller.loop.ports import Trouble


class Contact:
    def __init__(self) -> None:
        self._problems: dict[str, str] = {}  # by program

    def note(self, whose: str, problem: str) -> None:
        """It can't be asked; an empty problem: it can."""
        if problem:
            self._problems[whose] = problem
        else:
            self._problems.pop(whose, None)

    def troubles(self) -> list[Trouble]:
        return [
            Trouble(
                "NoAnswer",
                f"{whose} can't be asked: its containers keep running, but none is started or "
                f"stopped: {problem}",
                "EngineUnreachable",
                engine="container",
            )
            for whose, problem in self._problems.items()
        ]
