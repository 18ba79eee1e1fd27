"""Microsoft's own Python SDK, unmodified, against a hub.

Usage: registry_sdk.py CONNECTION_STRING

Needs azure-iot-hub==2.7.0 and six. REQUESTS_CA_BUNDLE names the certificates to trust.
Every answer is asserted. Prints "N operations ok" last and exits with 1 on the first failure.
The hub must be empty; it is left empty.
"""

import base64
import sys

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import ExportImportDevice, QuerySpecification, Twin, TwinProperties
from azure.iot.hub.protocol.models import AuthenticationMechanism, SymmetricKey
from msrest.exceptions import HttpOperationError

KEY_1 = base64.b64encode(b"1" * 32).decode()
KEY_2 = base64.b64encode(b"2" * 32).decode()
PRINT_1 = "aB" * 20
PRINT_2 = "cD" * 20


class Count:
    """Counts operations that did what they should."""

    def __init__(self):
        self.done = 0

    def ok(self, what, condition=True):
        if not condition:
            raise AssertionError(what)
        self.done += 1
        print("ok", self.done, what)

    def fails(self, what, status, name, call):
        """The call must fail with this status and this error name."""
        try:
            call()
        except HttpOperationError as error:
            found = (error.response.status_code, error.response.headers.get("iothub-errorcode"))
            self.ok(what, found == (status, name))
        else:
            raise AssertionError(what + ": did not fail")


def keys(device):
    key = device.authentication.symmetric_key
    return key.primary_key, key.secondary_key


def identities(hub, count):
    made = hub.create_device_with_sas("sas-1", KEY_1, KEY_2, "enabled", status_reason="new")
    count.ok("create with keys", keys(made) == (KEY_1, KEY_2) and made.etag and made.generation_id)
    x509 = hub.create_device_with_x509("x509-1", PRINT_1, PRINT_2, "enabled")
    count.ok("create with thumbprints",
             x509.authentication.x509_thumbprint.primary_thumbprint == PRINT_1
             and x509.authentication.type == "selfSigned")
    ca = hub.create_device_with_certificate_authority("ca-1", "disabled")
    count.ok("create with authority",
             ca.status == "disabled" and ca.authentication.type == "certificateAuthority")
    odd = hub.create_device_with_sas("odd%2F#?+1", KEY_1, KEY_2, "enabled")
    count.ok("create with an odd id", odd.device_id == "odd%2F#?+1")
    count.ok("get an odd id", hub.get_device("odd%2F#?+1").generation_id == odd.generation_id)

    got = hub.get_device("sas-1")
    count.ok("get", keys(got) == (KEY_1, KEY_2) and got.status_reason == "new")
    count.fails("create twice", 409, "DeviceAlreadyExists",
                lambda: hub.create_device_with_sas("sas-1", KEY_1, KEY_2, "enabled"))
    count.fails("get a missing one", 404, "DeviceNotFound", lambda: hub.get_device("none"))

    changed = hub.update_device_with_sas("sas-1", got.etag, KEY_2, KEY_1, "disabled")
    count.ok("update with keys",
             keys(changed) == (KEY_2, KEY_1) and changed.status == "disabled"
             and changed.etag != got.etag and changed.generation_id == got.generation_id)
    count.fails("update with an old etag", 412, "PreconditionFailed",
                lambda: hub.update_device_with_sas("sas-1", got.etag, KEY_1, KEY_2, "enabled"))
    count.ok("an old etag changed nothing", keys(hub.get_device("sas-1")) == (KEY_2, KEY_1))
    x509 = hub.update_device_with_x509("x509-1", x509.etag, PRINT_2, PRINT_1, "enabled")
    count.ok("update with thumbprints",
             x509.authentication.x509_thumbprint.primary_thumbprint == PRINT_2)
    ca = hub.update_device_with_certificate_authority("ca-1", ca.etag, "enabled")
    count.ok("update with authority", ca.status == "enabled")
    count.fails("update a missing one", 404, "DeviceNotFound",
                lambda: hub.update_device_with_sas("none", "*", KEY_1, KEY_2, "enabled"))

    listed = [device.device_id for device in hub.get_devices()]
    count.ok("list", sorted(listed) == ["ca-1", "odd%2F#?+1", "sas-1", "x509-1"])
    count.ok("list two", len(hub.get_devices(2)) == 2)
    numbers = hub.get_device_registry_statistics()
    count.ok("device statistics",
             (numbers.total_device_count, numbers.enabled_device_count,
              numbers.disabled_device_count) == (4, 3, 1))
    count.ok("service statistics", hub.get_service_statistics().connected_device_count == 0)


def twins(hub, count):
    twin = hub.get_twin("x509-1")
    count.ok("get a twin", twin.device_id == "x509-1" and twin.etag
             and twin.device_etag == hub.get_device("x509-1").etag)
    desired = TwinProperties(desired={"rate": 5, "mode": {"night": True}})
    patched = hub.update_twin("x509-1", Twin(tags={"room": "4"}, properties=desired), twin.etag)
    count.ok("patch a twin", patched.tags == {"room": "4"} and patched.etag != twin.etag
             and patched.properties.desired["rate"] == 5)
    more = TwinProperties(desired={"rate": None})
    patched = hub.update_twin("x509-1", Twin(tags={"floor": 2}, properties=more), patched.etag)
    count.ok("patch merges", patched.tags == {"room": "4", "floor": 2}
             and "rate" not in patched.properties.desired
             and patched.properties.desired["mode"] == {"night": True})
    count.fails("patch with an old etag", 412, "PreconditionFailed",
                lambda: hub.update_twin("x509-1", Twin(tags={"room": "5"}), twin.etag))
    replaced = hub.replace_twin("x509-1", Twin(tags={"site": "a"}), patched.etag)
    count.ok("replace a twin", replaced.tags == {"site": "a"}
             and "mode" not in replaced.properties.desired)
    count.ok("desired versions rise", replaced.properties.desired["$version"]
             > patched.properties.desired["$version"])
    count.fails("get a missing twin", 404, "DeviceNotFound", lambda: hub.get_twin("none"))


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
    wrong = QuerySpecification(query="select nothing")
    count.fails("a wrong query", 400, "ArgumentInvalid", lambda: hub.query_iot_hub(wrong))


def deletes(hub, count):
    count.fails("delete with an old etag", 412, "PreconditionFailed",
                lambda: hub.delete_device("sas-1", "MA=="))
    old = hub.get_device("sas-1")
    hub.delete_device("sas-1", old.etag)
    count.fails("a deleted device is gone", 404, "DeviceNotFound",
                lambda: hub.get_device("sas-1"))
    again = hub.create_device_with_sas("sas-1", KEY_1, KEY_2, "enabled")
    count.ok("made again it is another one", again.generation_id != old.generation_id)
    for device_id in ["sas-1", "x509-1", "ca-1", "odd%2F#?+1"]:
        hub.delete_device(device_id)
        count.ok("delete " + device_id)
    gone = hub.bulk_create_or_update_devices(
        [ExportImportDevice(id="bulk-%02d" % n, import_mode="delete") for n in range(25)])
    count.ok("bulk delete", gone.is_successful)
    count.fails("delete a missing one", 404, "DeviceNotFound", lambda: hub.delete_device("none"))
    count.ok("nothing is left", hub.get_devices() == [])


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    hub, count = IoTHubRegistryManager.from_connection_string(sys.argv[1]), Count()
    for part in (identities, twins, bulk, queries, deletes):
        part(hub, count)
    print("%d operations ok" % count.done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
