"""Device twins: patch, replace, etags."""

from azure.iot.hub.models import Twin, TwinProperties


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
