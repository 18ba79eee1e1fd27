"""Bulk calls, and queries over what they made."""

from azure.iot.hub.models import ExportImportDevice, QuerySpecification
from azure.iot.hub.protocol.models import AuthenticationMechanism, SymmetricKey

from python_parts.count import KEY_1, KEY_2, keys


def entry(device_id, mode, **more):
    pair = SymmetricKey(primary_key=KEY_1, secondary_key=KEY_2)
    how = AuthenticationMechanism(type="sas", symmetric_key=pair)
    return ExportImportDevice(
        id=device_id, import_mode=mode, status="enabled", authentication=how, **more)


def bulk(hub, count):
    ids = ["bulk-%02d" % n for n in range(25)]
    made = hub.bulk_create_or_update_devices([entry(i, "create", tags={"bulk": i}) for i in ids])
    count.ok("bulk create", made.is_successful and not made.errors)
    count.ok("bulk create sets keys", keys(hub.get_device("bulk-07")) == (KEY_1, KEY_2))
    count.ok("bulk create sets tags", hub.get_twin("bulk-07").tags == {"bulk": "bulk-07"})
    etag = hub.get_device("bulk-00").etag
    changed = hub.bulk_create_or_update_devices([
        entry("bulk-00", "updateIfMatchETag", e_tag=etag),
        entry("bulk-01", "update"),
        entry("bulk-02", "updateTwin", tags={"bulk": "changed"}),
    ])
    count.ok("bulk update", changed.is_successful)
    count.ok("bulk update of a twin", hub.get_twin("bulk-02").tags == {"bulk": "changed"})
    part = hub.bulk_create_or_update_devices([
        entry("bulk-03", "create"),
        entry("bulk-04", "updateIfMatchETag", e_tag="MA=="),
        entry("bulk-05", "update", status_reason="seen"),
    ])
    errors = {error.device_id: error.error_code for error in part.errors}
    count.ok("bulk in part", part.is_successful is False and errors == {
        "bulk-03": "DeviceAlreadyExists", "bulk-04": "PreconditionFailed"})
    count.ok("the good entry was applied", hub.get_device("bulk-05").status_reason == "seen")


def queries(hub, count):
    everything = QuerySpecification(query="select * from devices")
    ids, token, pages = [], None, 0
    while True:
        page = hub.query_iot_hub(everything, token, 10)
        ids += [twin.device_id for twin in page.items]
        token, pages = page.continuation_token, pages + 1
        if not token:
            break
    count.ok("query by pages", pages == 3 and len(ids) == len(set(ids)) == 29)
    count.ok("a query has an item type", page.type == "Twin")
    where = QuerySpecification(query="SELECT * FROM devices WHERE tags.bulk = 'changed'")
    found = [twin.device_id for twin in hub.query_iot_hub(where).items]
    count.ok("query by tag", found == ["bulk-02"])
    where = QuerySpecification(query="select * from devices where status = 'disabled'")
    found = [twin.device_id for twin in hub.query_iot_hub(where).items]
    count.ok("query by status", found == ["sas-1"])
    narrow = QuerySpecification(
        query="SELECT deviceId, tags.bulk AS bulk FROM devices WHERE tags.bulk = 'changed'")
    page = hub.query_iot_hub(narrow)
    count.ok("query by projection",
             page.type == "Raw" and [row.device_id for row in page.items] == ["bulk-02"]
             and page.items[0].etag is None)
    both = QuerySpecification(query="select * from devices where deviceId in ['bulk-03', 'bulk-04']"
                                    " and status = 'enabled' or tags.bulk = 'changed'")
    found = sorted(twin.device_id for twin in hub.query_iot_hub(both).items)
    count.ok("query with in, and, or", found == ["bulk-02", "bulk-03", "bulk-04"])
    wrong = QuerySpecification(query="select nothing")
    count.fails("a wrong query", 400, "ArgumentInvalid", lambda: hub.query_iot_hub(wrong))
