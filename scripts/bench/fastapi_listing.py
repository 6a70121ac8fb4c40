"""The body that the FastAPI apps of bench-serve take: the fields of POST /predict."""
from datetime import datetime

from pydantic import BaseModel


class Listing(BaseModel):
    brokered_by: float | None = None
    status: str
    price: float | None = None
    bed: float
    bath: float
    acre_lot: float
    street: float | None = None
    city: str | None = None
    state: str | None = None
    zip_code: str | int | None = None
    house_size: float
    prev_sold_date: str | None = None
    as_of: datetime | None = None
