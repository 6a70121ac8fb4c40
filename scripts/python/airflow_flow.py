"""The flow of a team that uses Airflow's own client (apache-airflow-client) on the pipeline role: list, pause, trigger, follow, look into a run, clear.

Usage: airflow_flow.py PIPELINE_URI DAG_ID. Each answer is parsed by the client, which refuses fields that are missing or of the wrong type.
"""

import sys
import time

from airflow_client import client
from airflow_client.client import api
from airflow_client.client.exceptions import BadRequestException, ConflictException, NotFoundException

uri, dag_id = sys.argv[1:]
connection = client.ApiClient(client.Configuration(host=uri))
dags, runs, instances = api.DAGApi(connection), api.DagRunApi(connection), api.TaskInstanceApi(connection)
xcoms, tasks, backfills = api.XComApi(connection), api.TaskApi(connection), api.BackfillApi(connection)


def expect(error, call):
    try:
        call()
    except error:
        return
    raise SystemExit(f"expected {error.__name__}")


def trigger(run_id, **body):
    return runs.trigger_dag_run(dag_id, client.TriggerDAGRunPostBody(dag_run_id=run_id, **body))


def follow(run_id, limit=30.0):
    until = time.monotonic() + limit
    while time.monotonic() < until:
        run = runs.get_dag_run(dag_id, run_id)
        if run.state in ("success", "failed"):
            return run
        time.sleep(0.02)
    raise SystemExit(f"{run_id} did not end")


assert api.MonitorApi(connection).get_health().scheduler.status == "healthy"
assert api.VersionApi(connection).get_version().version
assert [d.dag_id for d in dags.get_dags().dags] == [dag_id]
dag = dags.get_dag(dag_id)
assert dag.timetable_summary == "@daily" and dag.max_active_runs == 1 and not dag.is_paused
assert dags.patch_dag(dag_id, client.DAGPatchBody(is_paused=True), update_mask=["is_paused"]).is_paused

assert trigger("first", conf={}).state == "queued"
time.sleep(0.2)
assert runs.get_dag_run(dag_id, "first").state == "queued", "a paused DAG starts nothing"
assert not dags.patch_dag(dag_id, client.DAGPatchBody(is_paused=False)).is_paused
run = follow("first")
assert run.state == "success" and run.run_type == "manual" and run.end_date >= run.start_date and run.duration >= 0

listed = tasks.get_tasks(dag_id).tasks
order = [t.task_id for t in listed]
assert tasks.get_task(dag_id, order[0]).downstream_task_ids == [order[1]]
found = instances.get_task_instances(dag_id, "first")
assert [t.task_id for t in found.task_instances] == order and {t.state for t in found.task_instances} == {"success"}
one = instances.get_task_instance(dag_id, "first", order[0])
assert one.try_number == 1 and one.end_date >= one.start_date
assert [t.try_number for t in instances.get_task_instance_tries(dag_id, "first", order[0]).task_instances] == [1]
assert instances.get_task_instance_try_details(dag_id, "first", order[0], 1).state == "success"
lines = instances.get_log(dag_id, "first", order[0], 1, full_content=True).content.actual_instance
assert any(line.event == "counting" for line in lines)
keys = [x.key for x in xcoms.get_xcom_entries(dag_id, "first", order[0]).xcom_entries]
assert keys == ["new_records", "rows"], keys
assert xcoms.get_xcom_entry(dag_id, order[0], "first", "new_records").actual_instance.value == {"n": 3}

trigger("second", conf={"fail": True}, logical_date="2026-01-01T00:00:00Z", note="to see it fail")
assert follow("second").state == "failed"
again = client.ClearTaskInstancesBody(dag_run_id="second", dry_run=False)
assert len(instances.post_clear_task_instances(dag_id, again).task_instances) == 2
assert follow("second").state == "failed"
newest = runs.get_dag_runs(dag_id, order_by=["-run_after"], limit=1)
assert [r.dag_run_id for r in newest.dag_runs] == ["second"] and newest.total_entries == 2
assert [r.dag_run_id for r in runs.get_dag_runs("~", state=["success"]).dag_runs] == ["first"]

assert dag.is_backfillable
fill = dict(dag_id=dag_id, from_date="2026-01-01T00:00:00Z", to_date="2026-01-04T00:00:00Z")
dry = backfills.create_backfill_dry_run(client.BackfillPostBody(**fill))
assert [b.logical_date.isoformat() for b in dry.backfills] == [f"2026-01-0{d}T00:00:00+00:00" for d in (2, 3, 4)], "the first of January has run"
assert dry.total_entries == 3 and runs.get_dag_runs(dag_id).total_entries == 2, "a dry run makes nothing"
again = client.BackfillPostBody(**fill, reprocess_behavior="failed", run_backwards=True, dag_run_conf={"fail": False}, max_active_runs=3)
assert [b.logical_date.day for b in backfills.create_backfill_dry_run(again).backfills] == [4, 3, 2, 1]
made = backfills.create_backfill(client.BackfillPostBody(**fill, dag_run_conf={"fail": False}))
assert made.max_active_runs == 1 and made.reprocess_behavior == "none" and made.dag_run_conf == {"fail": False} and not made.is_paused
for day in (2, 3, 4):
    run = follow(f"backfill__2026-01-0{day}T00:00:00+00:00")
    assert run.state == "success" and run.run_type == "backfill" and run.triggered_by == "backfill" and run.logical_date.day == day
    assert run.run_after == run.data_interval_end
until = time.monotonic() + 30
while backfills.get_backfill(made.id).completed_at is None:
    assert time.monotonic() < until
    time.sleep(0.02)
listed = backfills.list_backfills(dag_id)
assert [b.id for b in listed.backfills] == [made.id] and listed.total_entries == 1
assert dags.patch_dag(dag_id, client.DAGPatchBody(is_paused=True)).is_paused
fill = dict(dag_id=dag_id, from_date="2025-12-01T00:00:00Z", to_date="2025-12-03T00:00:00Z")
second = backfills.create_backfill(client.BackfillPostBody(**fill))
expect(ConflictException, lambda: backfills.create_backfill(client.BackfillPostBody(**fill)))
assert backfills.cancel_backfill(second.id).completed_at is not None
assert {r.state for r in runs.get_dag_runs(dag_id, run_type=["backfill"], logical_date_lt="2026-01-01T00:00:00Z").dag_runs} == {"failed"}
expect(ConflictException, lambda: backfills.cancel_backfill(second.id))
expect(NotFoundException, lambda: backfills.get_backfill(99))

expect(ConflictException, lambda: trigger("first"))
expect(BadRequestException, lambda: trigger("bad id"))
expect(NotFoundException, lambda: dags.get_dag("nowhere"))
expect(NotFoundException, lambda: runs.get_dag_run(dag_id, "nowhere"))
print("ok")
