"""Progress that keeps what it is told, for a test to look at."""


class Noted:
    """Steps begun, what was said at each, and warnings.

    Attributes:
        begun: what began, with how many steps.
        told: the detail of every step.
        warned: sentences.
    """

    def __init__(self):
        self.begun, self.told, self.warned = [], [], []

    def steps(self, what, total):
        self.begun.append((what, total))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, detail=""):
        self.told.append(detail)

    def note(self, text):
        self.told.append(text)

    def warn(self, text):
        self.warned.append(text)
