"""A FastAPI application that has Graphistry draw what it is sent, and returns the link."""

import graphistry
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Payment(BaseModel):
    payer: str
    payee: str
    amount: float


@app.post("/report")
def report(payments: list[Payment]) -> dict[str, str]:
    table = pd.DataFrame([payment.model_dump() for payment in payments])
    return {"url": graphistry.edges(table, "payer", "payee").plot(render="url")}
