"""A Streamlit page: `streamlit run payments_page.py`."""

import graphistry
import pandas as pd
import streamlit as st

graphistry.register(api=3, username="ann", password="secret")
least = st.number_input("At least", value=0.0)
payments = pd.DataFrame({"payer": ["ann", "bob"], "payee": ["bob", "cid"], "amount": [1.0, 2.0]})
shown = payments[payments["amount"] >= least]
st.metric("Payments", len(shown))
st.link_button("Open", graphistry.edges(shown, "payer", "payee").plot(render="url"))
