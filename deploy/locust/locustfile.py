"""Load of the prediction server for those who use Locust: users who send the example listing to POST /predict.

    SERVING_HOST=http://serving:8000 locust -f deploy/locust/locustfile.py

SERVING_HOST  address of the prediction server; default http://127.0.0.1:8000. Locust's own --host wins over it.
TASADOR_AUTH_TOKEN  API token of a viewer, where the server demands a login
WAIT_MIN, WAIT_MAX  seconds that a user waits between two requests; default 1 and 5
"""
import os

from locust import FastHttpUser, between, task

LISTING = {
    "brokered_by": 74802, "status": "for_sale", "price": 394900, "bed": 3, "bath": 2, "acre_lot": 1.17, "street": 1589662,
    "city": "Crossville", "state": "Tennessee", "zip_code": 38571, "house_size": 2056, "prev_sold_date": "2021-12-01",
}
TOKEN = os.environ.get("TASADOR_AUTH_TOKEN", "")
HEADERS = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}


class Buyer(FastHttpUser):
    host = os.environ.get("SERVING_HOST", "http://127.0.0.1:8000")
    wait_time = between(float(os.environ.get("WAIT_MIN", "1")), float(os.environ.get("WAIT_MAX", "5")))

    @task
    def predict(self):
        with self.client.post("/predict", json=LISTING, headers=HEADERS, catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure(f"{answer.status_code}: {answer.text}")
            elif not isinstance(answer.json().get("prediction"), (int, float)):
                answer.failure(f"no price: {answer.text}")
