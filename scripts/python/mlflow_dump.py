"""Writes everything that a tracking server tells MLflow's client, as JSON in one order, so that two servers can be compared.

Called with the address of the server. Artifacts are told by their sizes and SHA-256, models by what they predict.
"""

import hashlib
import json
import os
import sys
import tempfile

import mlflow
import pandas as pd
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"


def everything(ask):
    token, items = None, []
    while True:
        page = ask(token)
        items += page
        token = page.token
        if not token:
            return items


def files(uri):
    found = {}
    with tempfile.TemporaryDirectory() as d:
        repo = get_artifact_repository(uri)
        if not repo.list_artifacts():
            return found
        root = repo.download_artifacts("", d)
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    content = f.read()
                found[os.path.relpath(path, root)] = [len(content), hashlib.sha256(content).hexdigest()]
    return found


def point(m):
    return [m.key, repr(m.value), m.timestamp, m.step]


def run_of(client, run):
    run = client.get_run(run.info.run_id)
    info = dict(run.info)
    return {
        "info": {k: info[k] for k in ("run_id", "run_name", "experiment_id", "status", "start_time", "end_time", "user_id", "lifecycle_stage")},
        "params": run.data.params, "tags": run.data.tags, "metrics": {k: repr(v) for k, v in run.data.metrics.items()},
        "points": {k: sorted(point(m) for m in everything(lambda t, k=k: client._tracking_client.store.get_metric_history(run.info.run_id, k, 1000, t)))
                   for k in run.data.metrics},
        "datasets": sorted(
            json.dumps([d.dataset.to_dictionary(), sorted((t.key, t.value) for t in d.tags)], sort_keys=True) for d in run.inputs.dataset_inputs),
        "model inputs": sorted(m.model_id for m in run.inputs.model_inputs or []),
        "model outputs": sorted((m.model_id, m.step) for m in (run.outputs.model_outputs if run.outputs else [])),
        "files": files(info["artifact_uri"]),
    }


def logged_model(m):
    return {
        "name": m.name, "experiment": m.experiment_id, "type": m.model_type or "", "run": m.source_run_id or "", "status": str(m.status),
        "message": m.status_message or "", "created": m.creation_timestamp, "updated": m.last_updated_timestamp, "params": m.params, "tags": m.tags,
        "metrics": sorted([*point(p), p.run_id, p.dataset_name or "", p.dataset_digest or ""] for p in m.metrics or []), "files": files(m.artifact_location),
    }


def version(client, v, home):
    return {
        "stage": v.current_stage, "description": v.description or "", "run": v.run_id or "", "status": v.status, "created": v.creation_timestamp,
        "updated": v.last_updated_timestamp, "tags": v.tags, "source": home(v.source),
        "location": home(client._get_registry_client().store.get_model_version_download_uri(v.name, v.version)),
    }


def predict(uri):
    frame = pd.DataFrame({"bed": [1.5, 4.0], "bath": [1.0, 3.0]})
    try:
        return [repr(float(y)) for y in mlflow.pyfunc.load_model(uri).predict(frame)]
    except MlflowException:
        return "cannot be loaded"


def main(uri):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    experiments = everything(lambda t: client.search_experiments(ViewType.ALL, page_token=t))
    places = {e.artifact_location.rstrip("/"): f"<{e.name}>" for e in experiments}

    def home(place):
        for location, name in sorted(places.items(), key=lambda p: -len(p[0])):
            if place == location or place.startswith(location + "/"):
                return name + place[len(location):]
        return place

    ids = [e.experiment_id for e in experiments]
    runs = everything(lambda t: client.search_runs(ids, run_view_type=ViewType.ALL, page_token=t))
    models = everything(lambda t: client.search_logged_models(ids, page_token=t))
    registered = [m for f in (None, PROMPTS) for m in everything(lambda t, f=f: client.search_registered_models(f, page_token=t))]
    versions = [v for f in (None, PROMPTS) for v in everything(lambda t, f=f: client.search_model_versions(f, page_token=t))]
    out = {
        "experiments": {e.experiment_id: [e.name, e.lifecycle_stage, e.tags] + ([] if e.experiment_id == "0" else [e.creation_time, e.last_update_time])
                        for e in experiments},
        "runs": {r.info.run_id: run_of(client, r) for r in runs},
        "logged models": {m.model_id: logged_model(m) for m in models},
        "registered": {m.name: [m.description or "", m.tags, m.aliases, m.creation_timestamp, m.last_updated_timestamp] for m in registered},
        "versions": {f"{v.name}/{v.version}": version(client, v, home) for v in versions},
        "predictions": {u: predict(u) for u in ("models:/PriceModel/1", "models:/PriceModel/Production", "models:/PriceModel@champion", "models:/PriceModel/4", "models:/Copied/1")},
        "prompts": [mlflow.genai.load_prompt("prompts:/greeting/1").template, mlflow.genai.load_prompt("prompts:/greeting@live").template],
    }
    json.dump(out, sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)


if __name__ == "__main__":
    main(sys.argv[1])
