"""Import, export and scheduled jobs. Import and export need a container of a blob storage."""

from datetime import datetime, timedelta, timezone

from azure.iot.hub import IoTHubJobManager
from azure.iot.hub.models import JobProperties, JobRequest, Twin

from python_parts.count import KEY_1, KEY_2, ended, keys


def scheduled_jobs(connection_string, hub, count):
    manager = IoTHubJobManager.from_connection_string(connection_string)
    now = datetime.now(timezone.utc)
    tags = Twin(tags={"scheduled": "yes"}, etag="*")
    soon = JobRequest(job_id="job-soon", type="scheduleUpdateTwin", update_twin=tags,
                      query_condition="deviceId in ['bulk-11', 'bulk-12']", start_time=now,
                      max_execution_time_in_seconds=300)
    made = manager.create_scheduled_job("job-soon", soon)
    count.ok("schedule a change of twins",
             made.job_id == "job-soon" and made.type == "scheduleUpdateTwin")
    done = ended(lambda: manager.get_scheduled_job("job-soon"))
    count.ok("the job changes twins", done.status == "completed"
             and hub.get_twin("bulk-11").tags.get("scheduled") == "yes"
             and hub.get_twin("bulk-12").tags.get("scheduled") == "yes"
             and "scheduled" not in hub.get_twin("bulk-13").tags)
    late = JobRequest(job_id="job-late", type="scheduleUpdateTwin", update_twin=tags,
                      query_condition="deviceId = 'bulk-13'", start_time=now + timedelta(hours=1),
                      max_execution_time_in_seconds=300)
    manager.create_scheduled_job("job-late", late)
    cancelled = manager.cancel_scheduled_job("job-late")
    count.ok("cancel a scheduled job", cancelled.job_id == "job-late")
    late = ended(lambda: manager.get_scheduled_job("job-late"))
    count.ok("the cancelled job did nothing", late.status == "cancelled"
             and "scheduled" not in hub.get_twin("bulk-13").tags)
    found = manager.query_scheduled_jobs("scheduleUpdateTwin", "completed")
    count.ok("query scheduled jobs", [job["jobId"] for job in found.items] == ["job-soon"])
    count.fails("get a missing scheduled job", 404, "JobNotFound",
                lambda: manager.get_scheduled_job("none"))


def import_and_export(connection_string, hub, count, container):
    manager = IoTHubJobManager.from_connection_string(connection_string)
    count.ok("there are no import and export jobs", manager.get_import_export_jobs() == [])
    count.fails("get a missing job", 404, "JobNotFound",
                lambda: manager.get_import_export_job("none"))
    if container is None:
        print("skipped: import and export, HUBSHIFT_BLOB_SAS_URI is not set")
        return
    order = JobProperties(type="export", output_blob_container_uri=container,
                          exclude_keys_in_export=False)
    made = manager.create_import_export_job(order)
    count.ok("create an export job", made.job_id and made.type == "export")
    export = ended(lambda: manager.get_import_export_job(made.job_id))
    count.ok("the export ends", export.status == "completed")

    gone = hub.get_device("bulk-20")
    hub.delete_device("bulk-20")
    order = JobProperties(type="import", input_blob_container_uri=container,
                          input_blob_name="devices.txt", output_blob_container_uri=container)
    made = manager.create_import_export_job(order)
    imported = ended(lambda: manager.get_import_export_job(made.job_id))
    count.ok("the import ends", imported.status == "completed" and imported.type == "import")
    back = hub.get_device("bulk-20")
    count.ok("the device is back with its keys", keys(back) == keys(gone) == (KEY_1, KEY_2)
             and back.generation_id != gone.generation_id)
    count.ok("both jobs are listed",
             sorted(job.type for job in manager.get_import_export_jobs()) == ["export", "import"])
