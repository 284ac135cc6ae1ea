"""What a running daemon shows over HTTP: a status page for people, probes and metrics for machines, on one port.

    sources    what the daemon hands over to be shown
    server     the listening socket and its limits
    hosts      which Host names are answered
    application routes, methods, headers, errors
    query      what a reader asks of the list: text, state, page
    states     the one word for where a secret stands, and the headline over all of them
    drawing    bars and timelines as numbers
    words      times, counts and texts from outside as people read them
    report     the report for an auditor, as a file of its own
    templates/, style.css, and report.css for what is printed

Read-only: no request changes anything, and there is nothing to log in to. It shows ids, names, times and our own
error messages; what comes from outside is escaped, and made visible where it is no printable text.
"""

from rotator.page.server import serve
from rotator.page.sources import Sources

__all__ = ["Sources", "serve"]
