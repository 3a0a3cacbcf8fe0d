"""The front end of a terminal: finished Markdown is printed for good, and only what still grows is live.

    deltas ──> Sanitizer ──> _blocks ──finished──> _markdown (rich) ──> lines ──┐
                                └─────open───────> _markdown, its tail ──> live ├──> screen ──> Output
    tool events ──> _activity: cards ──> lines; what goes on ──> status, live ──┘

Nothing of rich holds the terminal: it turns text into lines, and `screen` alone moves the cursor.
"""
