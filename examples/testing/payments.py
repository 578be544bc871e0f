"""An application: it uploads payments to Graphistry, and has the server find who received most."""

import graphistry

TASK = """
def task(g):
    received = g._edges.groupby(g._destination)["amount"].sum()
    return {name: float(amount) for name, amount in received.nlargest(2).items()}
"""


def report(payments):
    """Return (link to the picture, who received most and how much)."""
    g = graphistry.edges(payments, "payer", "payee").name("payments").privacy()
    plotted = g.plot(render="g")
    return plotted.url, plotted.python_remote_json(TASK)


def report_or_nothing(payments):
    """Return the same, or None while the server cannot be used."""
    try:
        return report(payments)
    except Exception:  # PyGraphistry raises requests', ValueError, KeyError, and plain ones
        return None
