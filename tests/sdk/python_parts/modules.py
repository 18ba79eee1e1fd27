"""Module identities, their twins, methods, messages that wait."""

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, QuerySpecification, Twin, TwinProperties

from python_parts.count import KEY_1, KEY_2, PRINT_1, PRINT_2, keys

DEVICE = "bulk-10"


def modules(hub: IoTHubRegistryManager, count):
    made = hub.create_module_with_sas(DEVICE, "sas", "me", KEY_1, KEY_2)
    count.ok("create a module with keys",
             keys(made) == (KEY_1, KEY_2) and made.managed_by == "me" and made.generation_id)
    x509 = hub.create_module_with_x509(DEVICE, "x509", "", PRINT_1, PRINT_2)
    count.ok("create a module with thumbprints",
             x509.authentication.x509_thumbprint.secondary_thumbprint == PRINT_2)
    ca = hub.create_module_with_certificate_authority(DEVICE, "ca", "")
    count.ok("create a module with authority", ca.authentication.type == "certificateAuthority")
    count.ok("get a module", hub.get_module(DEVICE, "sas").etag == made.etag)
    listed = sorted(module.module_id for module in hub.get_modules(DEVICE))
    count.ok("list modules", listed == ["ca", "sas", "x509"])
    count.fails("create a module twice", 409, "ModuleAlreadyExistsOnDevice",
                lambda: hub.create_module_with_sas(DEVICE, "sas", "me", KEY_1, KEY_2))
    count.fails("get a missing module", 404, "ModuleNotFound",
                lambda: hub.get_module(DEVICE, "none"))
    count.fails("create a system module", 400, None,
                lambda: hub.create_module_with_sas(DEVICE, "$edgeAgent", "me", KEY_1, KEY_2))

    changed = hub.update_module_with_sas(DEVICE, "sas", "you", made.etag, KEY_2, KEY_1)
    count.ok("update a module", keys(changed) == (KEY_2, KEY_1) and changed.managed_by == "you"
             and changed.etag != made.etag)
    count.fails("update a module with an old etag", 412, "PreconditionFailed",
                lambda: hub.update_module_with_sas(DEVICE, "sas", "", made.etag, KEY_1, KEY_2))
    x509 = hub.update_module_with_x509(DEVICE, "x509", "", "*", PRINT_2, PRINT_1)
    count.ok("update a module with thumbprints",
             x509.authentication.x509_thumbprint.primary_thumbprint == PRINT_2)
    ca = hub.update_module_with_certificate_authority(DEVICE, "ca", "me", ca.etag)
    count.ok("update a module with authority", ca.managed_by == "me")

    module_twins(hub, count)

    hub.delete_module(DEVICE, "ca", ca.etag)
    hub.delete_module(DEVICE, "x509")
    count.ok("delete modules", [m.module_id for m in hub.get_modules(DEVICE)] == ["sas"])
    count.fails("delete a module with an old etag", 412, "PreconditionFailed",
                lambda: hub.delete_module(DEVICE, "sas", made.etag))
    methods(hub, count)


def module_twins(hub, count):
    twin = hub.get_module_twin(DEVICE, "sas")
    count.ok("get a module twin", (twin.device_id, twin.module_id) == (DEVICE, "sas"))
    desired = TwinProperties(desired={"rate": 5})
    patched = hub.update_module_twin(
        DEVICE, "sas", Twin(tags={"role": "probe"}, properties=desired), twin.etag)
    count.ok("patch a module twin",
             patched.tags == {"role": "probe"} and patched.properties.desired["rate"] == 5)
    count.fails("patch a module twin with an old etag", 412, "PreconditionFailed",
                lambda: hub.update_module_twin(DEVICE, "sas", Twin(tags={"role": "x"}), twin.etag))
    found = QuerySpecification(query="SELECT * FROM devices.modules WHERE tags.role = 'probe'")
    rows = [(row.device_id, row.module_id) for row in hub.query_iot_hub(found).items]
    count.ok("query modules", rows == [(DEVICE, "sas")])
    replaced = hub.replace_module_twin(DEVICE, "sas", Twin(tags={"role": "new"}), patched.etag)
    count.ok("replace a module twin",
             replaced.tags == {"role": "new"} and "rate" not in replaced.properties.desired)
    count.ok("the device's twin is another one", not hub.get_twin(DEVICE).tags.get("role"))


def methods(hub, count):
    call = CloudToDeviceMethod(method_name="reboot", payload={}, response_timeout_in_seconds=5,
                               connect_timeout_in_seconds=0)
    count.fails("a method of a device that is not there", 404, "DeviceNotOnline",
                lambda: hub.invoke_device_method(DEVICE, call))
    count.fails("a method of a module that is not there", 404, "DeviceNotOnline",
                lambda: hub.invoke_device_module_method(DEVICE, "sas", call))
    purge = hub.protocol.cloud_to_device_messages.purge_cloud_to_device_message_queue
    purged = purge(DEVICE)
    count.ok("purge messages", (purged.device_id, purged.total_messages_purged) == (DEVICE, 0))
