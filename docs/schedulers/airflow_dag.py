"""A build as an Airflow DAG: each task is a stage; the store carries what one gives to the next."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

RECIPE = os.environ.get("EDGESTILL_RECIPE", "recipe.toml")
FOLDER = os.environ.get("EDGESTILL_FOLDER", Path.cwd())
NOT_READY, UNDECIDED = 1, 5

with DAG(
    "edgestill_build",
    description="Distil, compress, export, measure, judge",
    schedule=None,
    catchup=False,
    # A stage that was killed resumes; a failure is never kept in the store.
    default_args={"retries": 1, "retry_delay": timedelta(seconds=5)},
) as dag:
    earlier = None
    for stage in ("teacher", "targets", "student", "verify"):
        task = BashOperator(
            task_id=stage,
            bash_command=f'edgestill build "{RECIPE}" --until {stage}',
            cwd=str(FOLDER),
            append_env=True,
        )
        if earlier is not None:
            earlier >> task
        earlier = task
    # On the machine that measures: give the task a queue of its own. No verdict is tried again.
    verdict = BashOperator(
        task_id="verdict",
        bash_command=f'edgestill build "{RECIPE}"; code=$?; '
        f"if [ $code -eq {NOT_READY} ] || [ $code -eq {UNDECIDED} ]; then exit 99; fi; exit $code",
        cwd=str(FOLDER),
        append_env=True,
        retries=0,
        skip_on_exit_code=99,
    )
    earlier >> verdict
