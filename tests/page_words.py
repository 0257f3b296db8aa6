"""The words of a page that a reader sees before unfolding anything.

len(open_words(page))
"""

from html.parser import HTMLParser

_EMPTY = {"meta", "link", "img", "br"}
_UNSEEN = {"script", "style", "title", "head"}


class _Words(HTMLParser):
    """Text outside of scripts, styles and folded details."""

    def __init__(self):
        super().__init__()
        self.words, self._stack = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in _EMPTY:
            self._stack.append((tag, "open" in dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        while self._stack and self._stack.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tags = [tag for tag, _ in self._stack]
        folded = [at for at, (tag, is_open) in enumerate(self._stack)
                  if tag == "details" and not is_open]  # fmt: skip
        in_summary = bool(folded) and "summary" in tags[folded[0] :] and len(folded) == 1
        if not _UNSEEN & set(tags) and (not folded or in_summary):
            self.words += data.split()


def open_words(page):
    """The words, in their order."""
    parser = _Words()
    parser.feed(page)
    parser.close()
    return parser.words
