"""Device identities: keys, thumbprints, authorities, odd ids, etags, statistics."""

from azure.iot.hub.models import ExportImportDevice

from python_parts.count import KEY_1, KEY_2, PRINT_1, PRINT_2, keys


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
        [ExportImportDevice(id="bulk-%02d" % n, import_mode="delete", status="enabled")
         for n in range(25)])
    count.ok("bulk delete", gone.is_successful)
    count.fails("delete a missing one", 404, "DeviceNotFound", lambda: hub.delete_device("none"))
    count.ok("nothing is left", hub.get_devices() == [])
