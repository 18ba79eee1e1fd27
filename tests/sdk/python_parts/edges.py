"""Edge devices, their scopes, parents and children."""

from python_parts.count import KEY_1, KEY_2


def edges(hub, count):
    top = hub.create_device_with_sas("edge-top", KEY_1, KEY_2, "enabled", iot_edge=True)
    count.ok("create an edge device", top.capabilities.iot_edge
             and top.device_scope.startswith("ms-azure-iot-edge://edge-top-"))
    listed = sorted(module.module_id for module in hub.get_modules("edge-top"))
    count.ok("an edge device has its system modules", listed == ["$edgeAgent", "$edgeHub"])

    leaf = hub.create_device_with_sas("edge-leaf", KEY_1, KEY_2, "enabled",
                                      device_scope=top.device_scope)
    count.ok("a leaf has its parent's scope", leaf.device_scope == top.device_scope
             and leaf.parent_scopes == [top.device_scope])
    low = hub.create_device_with_sas("edge-low", KEY_1, KEY_2, "enabled", iot_edge=True,
                                     parent_scopes=[top.device_scope])
    count.ok("an edge child has a scope of its own",
             low.device_scope.startswith("ms-azure-iot-edge://edge-low-")
             and low.parent_scopes == [top.device_scope])
    count.ok("a twin has the scopes", hub.get_twin("edge-low").parent_scopes == [top.device_scope]
             and hub.get_twin("edge-leaf").device_scope == top.device_scope)

    count.fails("an edge device's scope cannot be left out", 400, None,
                lambda: hub.update_device_with_sas("edge-low", "*", KEY_1, KEY_2, "enabled",
                                                   iot_edge=True, parent_scopes=[]))
    low = hub.update_device_with_sas("edge-low", low.etag, KEY_1, KEY_2, "enabled", iot_edge=True,
                                     device_scope=low.device_scope, parent_scopes=[])
    count.ok("detach an edge child", not low.parent_scopes)
    leaf = hub.update_device_with_sas("edge-leaf", leaf.etag, KEY_1, KEY_2, "enabled")
    count.ok("detach a leaf", not leaf.device_scope and not leaf.parent_scopes)


def edge_deletes(hub, count):
    for device_id in ["edge-leaf", "edge-low", "edge-top"]:
        hub.delete_device(device_id)
        count.ok("delete " + device_id)
