"""Speaks the Open Inference Protocol with NVIDIA's client: triton.py HOST:PORT MODEL < ROWS.json

ROWS.json has "columns" and "rows", the features of listings. Prints what the server is and the prices that it gave, by the way they were asked for.
"""
import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException


def given(name, values):
    tensor = http.InferInput(name, list(values.shape), "FP32" if values.dtype == np.float32 else "INT64" if values.dtype == np.int64 else "FP64")
    tensor.set_data_from_numpy(values, binary_data=False)
    return tensor


def main():
    client, model = http.InferenceServerClient(sys.argv[1]), sys.argv[2]
    table = json.load(sys.stdin)
    rows = np.array(table["rows"], dtype=np.float64)
    wanted = [http.InferRequestedOutput("prediction", binary_data=False)]
    columns = [given(name, rows[:, i]) for i, name in enumerate(table["columns"])]
    upright = [given(name, rows[:, i:i + 1].astype(np.int64) if (rows[:, i] % 1 == 0).all() else rows[:, i:i + 1]) for i, name in enumerate(table["columns"])]
    answers = {
        "columns": client.infer(model, columns[::-1], outputs=wanted, request_id="my-id"),
        "upright, whole numbers": client.infer(model, upright, model_version="7"),
        "matrix": client.infer(model, [given("features", rows)], outputs=wanted),
        "flat columns": client.infer(model, [given(c, rows[:, i].copy()) for i, c in enumerate(table["columns"])]),
    }
    refusals = []
    for ask in (
        lambda: client.infer("another", columns), lambda: client.infer(model, columns, model_version="9"), lambda: client.infer(model, columns[1:]),
        lambda: client.infer(model, columns, outputs=[http.InferRequestedOutput("other", binary_data=False)]),
        lambda: client.infer(model, [given("features", rows[:, 1:])]), lambda: client.get_model_metadata("another"),
    ):
        try:
            ask()
            refusals.append("none")
        except InferenceServerException as e:
            refusals.append(f"{e.status()}: {e.message()}")
    try:
        tensor = http.InferInput("features", list(rows.shape), "FP64")
        tensor.set_data_from_numpy(rows, binary_data=True)
        client.infer(model, [tensor])
        refusals.append("none")
    except InferenceServerException as e:
        refusals.append(f"{e.status()}: {e.message()}")
    print(json.dumps({
        "live": client.is_server_live(), "ready": client.is_server_ready(), "model_ready": client.is_model_ready(model),
        "version_ready": client.is_model_ready(model, "7"), "other_ready": client.is_model_ready("another"),
        "server": client.get_server_metadata(), "model": client.get_model_metadata(model),
        "prices": {k: v.as_numpy("prediction").ravel().tolist() for k, v in answers.items()},
        "id": answers["columns"].get_response()["id"], "version": answers["columns"].get_response()["model_version"], "refusals": refusals,
    }))


if __name__ == "__main__":
    main()
